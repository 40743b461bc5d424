"""Deep equality as JSON means it, and where two values first differ."""

from typing import Any


def first_difference(expected: Any, actual: Any, path: str = "$") -> tuple[str, Any, Any] | None:
    """Path and both values where they first differ, or None. 1 equals 1.0, but true does not equal 1."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return _in_objects(expected, actual, path)
    if isinstance(expected, list) and isinstance(actual, list):
        return _in_lists(expected, actual, path)
    same_kind = isinstance(expected, bool) == isinstance(actual, bool)
    return None if same_kind and expected == actual else (path, expected, actual)


def _in_objects(expected: dict[str, Any], actual: dict[str, Any], path: str) -> tuple[str, Any, Any] | None:
    for key in sorted(expected.keys() | actual.keys()):
        where = f"{path}.{key}"
        if key not in actual:
            return where, expected[key], MISSING
        if key not in expected:
            return where, MISSING, actual[key]
    for key, value in expected.items():
        found = first_difference(value, actual[key], f"{path}.{key}")
        if found:
            return found
    return None


def _in_lists(expected: list[Any], actual: list[Any], path: str) -> tuple[str, Any, Any] | None:
    for index, (left, right) in enumerate(zip(expected, actual, strict=False)):
        found = first_difference(left, right, f"{path}[{index}]")
        if found:
            return found
    if len(expected) > len(actual):
        return f"{path}[{len(actual)}]", expected[len(actual)], MISSING
    if len(actual) > len(expected):
        return f"{path}[{len(expected)}]", MISSING, actual[len(expected)]
    return None


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


MISSING = _Missing()
"""Stands for a value that is not there."""
