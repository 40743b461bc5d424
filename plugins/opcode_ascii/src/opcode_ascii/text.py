"""Text in columns: how wide it is on a terminal, and cut to fit."""

import unicodedata
from functools import lru_cache


def clean(text: str) -> str:
    """One line without control characters, so that a label can neither move the cursor nor colour it."""
    spaced = " ".join(text.split())
    return "".join(char if char.isprintable() and not _is_joined(char) else "·" for char in spaced)


@lru_cache(maxsize=4096)
def width(text: str) -> int:
    """Columns that `text` takes: two for wide characters, none for combining ones."""
    return sum(char_width(char) for char in text)


def char_width(char: str) -> int:
    """Columns of one character."""
    if char.isascii():
        return 1
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def fit(text: str, columns: int) -> str:
    """`text`, cut with an ellipsis when it is wider than `columns`."""
    if width(text) <= columns:
        return text
    cut = ""
    for char in text:
        if width(cut) + char_width(char) > columns - 1:
            break
        cut += char
    return f"{cut}…" if columns > 0 else ""


def pad(text: str, columns: int) -> str:
    """`text` with spaces up to `columns`."""
    return text + " " * (columns - width(text))


def _is_joined(char: str) -> bool:
    """Joiners and variation selectors, whose width terminals do not agree on."""
    return unicodedata.category(char) == "Cf" or char in "\ufe0e\ufe0f"
