"""Keeping secrets out of everything that is remembered or shown."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"


def redact(value: Any, secrets: Iterable[str]) -> Any:
    """`value` with every secret's text replaced, at any depth, in keys too, also where it stands escaped."""
    texts = sorted({form for text in secrets if text for form in _forms(text)}, key=len, reverse=True)
    return _redact(value, texts) if texts else value


def _forms(text: str) -> Iterator[str]:
    """How a text looks by itself, in JSON, in Python's quotes and in a URL."""
    yield text
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield repr(text)[1:-1]
    yield quote(text, safe="", errors="replace")
    yield quote_plus(text, errors="replace")


def _redact(value: Any, texts: list[str]) -> Any:
    if isinstance(value, str):
        for text in texts:
            value = value.replace(text, MASK)
        return value
    if isinstance(value, Mapping):
        return {_redact(key, texts): _redact(item, texts) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redact(item, texts) for item in value]
    return value
