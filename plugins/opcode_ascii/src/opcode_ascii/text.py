"""Any text as terminal columns: made harmless, measured, shortened."""

import unicodedata
from functools import lru_cache

ELLIPSIS = "…"
_LONGEST = 2000
_LARGEST_CLUSTER = 8
_SPACE = (" ", 1)


@lru_cache(maxsize=4096)
def clusters(text: str) -> tuple[tuple[str, int], ...]:
    """What a terminal draws for `text`, one visible character at a time, each with its width in columns.

    White space becomes single spaces. Other control characters become their pictures (ESC is `␛`), so
    nothing in the text can move the cursor. Invisible format characters (direction marks, joiners,
    variation selectors, marks on nothing) go, because terminals disagree about their effect on the width.
    """
    text = text[:_LONGEST]
    if text.isascii() and text.isprintable():
        return tuple((char, 1) for char in " ".join(text.split()))
    from wcwidth import iter_graphemes, wcswidth

    found: list[tuple[str, int]] = []
    for cluster in iter_graphemes("".join(map(_visible, text))):
        shown = cluster[:_LARGEST_CLUSTER]
        columns = wcswidth(shown)
        if columns > 0 and (shown != " " or (found and found[-1] != _SPACE)):
            found.append((shown, columns))
    return tuple(found[:-1] if found and found[-1] == _SPACE else found)


def _visible(char: str) -> str:
    if char.isspace():
        return " "
    code = ord(char)
    match unicodedata.category(char):
        case "Cc":
            return chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else "�"
        case "Cs":
            return "�"
        case "Cf":
            return ""
    return "" if 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF else char


def width(text: str) -> int:
    """Columns that `text` takes."""
    return sum(columns for _, columns in clusters(text))


def plain(text: str) -> str:
    """`text` as it is shown when there is room for all of it."""
    return "".join(cluster for cluster, _ in clusters(text))


def shorten(text: str, room: int) -> str:
    """`text` in at most `room` columns, cut at its end."""
    return _cut(text, room, tail=0)


def shorten_name(text: str, room: int) -> str:
    """`text` in at most `room` columns, cut in its middle: names often differ only at the end."""
    return _cut(text, room, tail=(room - 1) // 3)


def _cut(text: str, room: int, tail: int) -> str:
    pieces = clusters(text)
    if sum(columns for _, columns in pieces) <= room:
        return "".join(cluster for cluster, _ in pieces)
    if room < 1:
        return ""
    last = _take(tuple(reversed(pieces)), tail)
    first = _take(pieces, room - 1 - tail)
    return "".join(first).rstrip() + ELLIPSIS + "".join(reversed(last)).lstrip()


def _take(pieces: tuple[tuple[str, int], ...], room: int) -> list[str]:
    taken = []
    for cluster, columns in pieces:
        room -= columns
        if room < 0:
            break
        taken.append(cluster)
    return taken
