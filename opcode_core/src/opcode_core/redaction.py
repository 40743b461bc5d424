"""Keeping secrets out of everything that is remembered or shown."""

from collections.abc import Iterable, Mapping
from typing import Any

MASK = "***"


def redact(value: Any, secrets: Iterable[str]) -> Any:
    """`value` with every secret's text replaced, at any depth, in keys too."""
    texts = sorted({text for text in secrets if text}, key=len, reverse=True)
    return _redact(value, texts) if texts else value


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
