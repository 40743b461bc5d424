"""Where a page ended, as text that the caller gives back."""

import base64
from typing import Any

from opcode_core import ErrorCode, OpcodeError, dumps, loads


def encode(kind: str, *key: float | str) -> str:
    """A cursor that says: of this kind of list, what comes after `key`."""
    return base64.urlsafe_b64encode(dumps([kind, *key])).rstrip(b"=").decode("ascii")


def decode(cursor: str, kind: str, *types: type) -> list[Any]:
    """The key in `cursor`, when it is of that kind and exactly what `encode` writes.

    Raises:
        OpcodeError: VALIDATION_ERROR for anything else.
    """
    try:
        found, *key = loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        good = found == kind and [type(part) for part in key] == list(types) and encode(kind, *key) == cursor
    except (ValueError, TypeError, RecursionError):
        good = False
    if not good:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR,
            f"cursor {cursor[:80]!r} is not one of this list; leave it out to begin at the first page",
            details={"cursor": cursor[:80]},
        )
    return list(key)
