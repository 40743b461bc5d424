"""The methods that an expression may call, by the type that has them."""

from __future__ import annotations

from opcode_asteval.bounds import sized

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    times = text.count(old) if count < 0 else min(count, text.count(old))
    sized(len(text) + times * max(len(new) - len(old), 0))
    return text.replace(old, new, count)


def _join(separator: str, parts: Iterable[Any]) -> str:
    texts = list(parts)
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"join takes texts, not {type(text).__name__}; write str(x) for each x")
    sized(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


def _padded(pad: Callable[..., str]) -> Callable[..., str]:
    def padded(text: str, width: int, *fill: str) -> str:
        sized(width)
        return pad(text, width, *fill)

    return padded


def _listed(method: Callable[..., Iterable[Any]]) -> Callable[..., list[Any]]:
    return lambda value: list(method(value))


_TEXT = (
    *("lower", "upper", "title", "capitalize", "casefold", "swapcase", "strip", "lstrip", "rstrip"),
    *("split", "rsplit", "splitlines", "partition", "rpartition", "removeprefix", "removesuffix"),
    *("startswith", "endswith", "find", "rfind", "index", "rindex", "count"),
    *("isalpha", "isalnum", "isdigit", "isdecimal", "isnumeric", "isspace", "isupper", "islower", "istitle"),
)
_SET = (
    *("union", "intersection", "difference", "symmetric_difference"),
    *("issubset", "issuperset", "isdisjoint", "copy"),
)

_DICT: dict[str, Callable[..., Any]] = {
    "get": dict.get,
    "copy": dict.copy,
    "keys": _listed(dict.keys),
    "values": _listed(dict.values),
    "items": _listed(dict.items),
}

METHODS: Mapping[type, Mapping[str, Callable[..., Any]]] = {
    str: {name: getattr(str, name) for name in _TEXT}
    | {"replace": _replace, "join": _join}
    | {name: _padded(getattr(str, name)) for name in ("ljust", "rjust", "center", "zfill")},
    dict: _DICT,
    list: {"index": list.index, "count": list.count, "copy": list.copy},
    tuple: {"index": tuple.index, "count": tuple.count},
    set: {name: getattr(set, name) for name in _SET},
    float: {"is_integer": float.is_integer},
}
"""None of them changes what it is called on, and what they make is bounded."""

ALL_METHODS = frozenset(name for methods in METHODS.values() for name in methods)

INSTEAD = {
    "append": "write list + [item]",
    "extend": "write list + list",
    "sort": "write sorted(list)",
    "reverse": "write reversed(list)",
    "update": "write object | other",
    "format": "write f'…'",
    "format_map": "write f'…'",
    "pop": "nothing can be changed here; read with an index",
    "clear": "nothing can be changed here",
    "remove": "write [x for x in list if …]",
    "insert": "write list[:n] + [item] + list[n:]",
}
"""What to write for methods that people expect and that are not there."""
