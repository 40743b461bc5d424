"""From a value of an expression to JSON."""

from __future__ import annotations

import math

from opcode_asteval.members import Step, described

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


def to_json(value: Any) -> Any:
    """Plain JSON: tuples, sets and ranges become lists, keys text, steps their outputs.

    Raises:
        ValueError: for what JSON cannot hold.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise ValueError(
                "the result is an integer of more than 64 bits; write float(…) or str(…) around it"
            )
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"the result is {value}, which JSON cannot hold")
        return value
    if isinstance(value, Step):
        return to_json(value.output)
    if isinstance(value, dict):
        return {_key(key): to_json(item) for key, item in value.items()}
    if isinstance(value, set):
        return [to_json(item) for item in _ordered(value)]
    if isinstance(value, list | tuple | range):
        return [to_json(item) for item in value]
    raise ValueError(f"the result is {described(value)}, which JSON cannot hold")


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, int | float):
        return str(key)
    raise ValueError(f"the result has {described(key)} as a key, which JSON cannot hold")


def _ordered(values: set[Any]) -> Iterable[Any]:
    """In an order that is the same each time."""
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=lambda value: (type(value).__name__, repr(value)))
