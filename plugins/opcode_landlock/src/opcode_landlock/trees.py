"""File rules as Landlock can hold them: it only knows trees that are allowed, never one that is not.

What a tree holds that has fewer rights than the tree is carved out: its neighbours are allowed one by
one, and the directories above it are not, so nothing new can be made there. That errs on the safe side.
"""

from __future__ import annotations

import os

from opcode_landlock.landlock import IOCTL_DEV, READ, READ_DIR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

NOTHING, READABLE, WRITABLE = 0, 1, 2
_ALL = -1
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm")


def allowed(rules: dict[str, Any]) -> list[tuple[str, int]]:
    """Paths, each with the rights that hold for it and what lies below."""
    places = _places(rules)
    roots = ["/"] if rules["everything"] else [place for place, level in places.items() if level]
    hidden = [path for path in rules["deny"] if os.path.isdir(path)]  # noqa: PTH112
    found: dict[str, int] = {}
    for root in roots:
        for path, rights in _grant(root, places, rules["closed"]):
            found[path] = found.get(path, 0) | (rights or _listing(path, hidden))
    return list(found.items())


def _places(rules: dict[str, Any]) -> dict[str, int]:
    """Each place that a rule names, and what is allowed there."""
    places: dict[str, int] = {}
    if rules["everything"]:
        places["/"] = WRITABLE
        places["/sys"] = READABLE
    places["/proc"] = READABLE
    places["/dev"] = NOTHING
    for device in _DEVICES:
        places[f"/dev/{device}"] = WRITABLE
    for path in rules["writable"]:
        places[path] = WRITABLE
    for path in rules["read_only"]:
        places[path] = READABLE
    for path in rules["deny"]:
        for place in [place for place in places if _is_below(place, path)]:
            del places[place]
        places[path] = NOTHING
    return places


def _grant(path: str, places: dict[str, int], closed: list[str]) -> Iterator[tuple[str, int]]:
    """Rights from `path` downwards; 0 for a directory of which at most the names may be seen."""
    level = _level(path, places)
    below = [places[place] for place in places if place != path and _is_below(place, path)]
    if max([level, *below]) == NOTHING or os.path.islink(path):  # noqa: PTH114
        return
    is_closed = level == WRITABLE and any(_is_below(place, path) for place in closed)
    least = min([*below, READABLE if is_closed else level])
    if level and (least >= level or not os.path.isdir(path)):  # noqa: PTH112
        yield path, _ALL if level == WRITABLE else READ | IOCTL_DEV
        return
    if level:
        yield path, READ if least == READABLE else 0
    for name in _names(path):
        yield from _grant(os.path.join(path, name), places, closed)  # noqa: PTH118


def _listing(path: str, hidden: list[str]) -> int:
    """A right holds for all that lies below, so where a directory is denied no names are seen above it."""
    return 0 if any(_is_below(place, path) for place in hidden) else READ_DIR


def _level(path: str, places: dict[str, int]) -> int:
    matches = [place for place in places if _is_below(path, place)]
    return places[max(matches, key=len)] if matches else NOTHING


def _is_below(path: str, place: str) -> bool:
    return path == place or path.startswith(place.rstrip("/") + "/")


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []
