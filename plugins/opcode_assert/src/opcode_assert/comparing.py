"""Deep equality as JSON means it, and where two values first differ."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from opcode_assert.showing import shown


class _Missing:
    """Stands for a value that is not there."""


MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two values first differ, and what stands there on each side."""

    path: str
    expected: Any
    actual: Any

    def __str__(self) -> str:
        where = "" if self.path == "$" else f" at {self.path}"
        return f"expected {_side(self.expected)}, got {_side(self.actual)}{where}"


def first_difference(expected: Any, actual: Any) -> Difference | None:
    """Where two values first differ, or None. 1 equals 1.0, but true does not equal 1."""
    pending = [("$", expected, actual)]
    while pending:
        path, left, right = pending.pop()
        if isinstance(left, dict) and isinstance(right, dict):
            pending.extend(reversed(list(_in_objects(path, left, right))))
        elif isinstance(left, list) and isinstance(right, list):
            pending.extend(reversed(list(_in_lists(path, left, right))))
        elif isinstance(left, bool) != isinstance(right, bool) or left != right:
            return Difference(path, left, right)
    return None


def equal(left: Any, right: Any) -> bool:
    """Deep equality."""
    return first_difference(left, right) is None


def _in_objects(path: str, left: dict[str, Any], right: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Both sides of each key, those first that only one of them has."""
    for key, value in left.items():
        if key not in right:
            yield path + _step(key), value, MISSING
    for key, value in right.items():
        if key not in left:
            yield path + _step(key), MISSING, value
    for key, value in left.items():
        if key in right:
            yield path + _step(key), value, right[key]


def _in_lists(path: str, left: list[Any], right: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    """Both sides of each place."""
    for index in range(max(len(left), len(right))):
        yield (
            f"{path}[{index}]",
            left[index] if index < len(left) else MISSING,
            right[index] if index < len(right) else MISSING,
        )


def _step(key: str) -> str:
    return f".{key}" if key.replace("-", "_").isidentifier() else f"[{shown(key)}]"


def _side(value: Any) -> str:
    return "nothing" if value is MISSING else shown(value)
