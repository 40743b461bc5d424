"""Text that every client can read: half a surrogate pair is legal in JSON, and in no encoding."""

import re
from typing import Any

from opcode_core import dumps

_HALF = re.compile(r"[\ud800-\udfff]")
_ESCAPED_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


def clean(value: Any) -> Any:
    """A copy in which half pairs are replacement characters; the value itself when there are none."""
    return _cleaned(value) if _ESCAPED_HALF.search(dumps(value)) else value


def clean_text(text: str) -> str:
    """The same of a text."""
    return _HALF.sub("\N{REPLACEMENT CHARACTER}", text)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return value
