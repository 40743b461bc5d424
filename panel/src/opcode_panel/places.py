"""Where in a JSON text something is: the line of a path."""

import json
import re
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")
_LAST = re.compile(r"(\.[^.\[\]]+|\[\d+\])$")
_SAID = re.compile(r"\bline (\d+)\b")
_decoder = json.JSONDecoder(strict=False)


def line_of(text: str, path: str, message: str = "") -> int | None:
    """The line on which what a path names begins, or the nearest thing around it; None when unsure.

    Args:
        text: what somebody wrote.
        path: as issues have it, `steps[0].params.url`.
        message: of the issue; one about the text itself tells its line.
    """
    said = _SAID.search(message)
    if not path and said:
        return int(said[1])
    try:
        found = _places(text)
    except (ValueError, IndexError, RecursionError):
        return None
    while path and path not in found:
        path = _LAST.sub("", path) if _LAST.search(path) else ""
    return text.count("\n", 0, found[path]) + 1 if path else None


def _places(text: str) -> dict[str, int]:
    """Where each value of a JSON text begins; for a value with a name, where the name does."""
    found: dict[str, int] = {}
    _value(text, _past_space(text, 0), "", found)
    return found


def _value(text: str, at: int, path: str, found: dict[str, int]) -> int:
    if text[at] == "{":
        return _members(text, at + 1, path, found)
    if text[at] == "[":
        return _items(text, at + 1, path, found)
    return _leaf(text, at)[1]


def _members(text: str, at: int, path: str, found: dict[str, int]) -> int:
    at = _past_space(text, at)
    while text[at] != "}":
        name, after = _leaf(text, at)
        below = f"{path}.{name}" if path else str(name)
        found.setdefault(below, at)
        at = _past_space(text, _past_space(text, after) + 1)  # the colon
        at = _past_space(text, _value(text, at, below, found))
        at = _past_space(text, at + 1) if text[at] == "," else at
    return at + 1


def _items(text: str, at: int, path: str, found: dict[str, int]) -> int:
    at, index = _past_space(text, at), 0
    while text[at] != "]":
        found[f"{path}[{index}]"] = at
        at = _past_space(text, _value(text, at, f"{path}[{index}]", found))
        at, index = (_past_space(text, at + 1) if text[at] == "," else at), index + 1
    return at + 1


def _leaf(text: str, at: int) -> tuple[Any, int]:
    return _decoder.raw_decode(text, at)


def _past_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
