"""What a secret may be called, and what it may be."""

import re
from collections.abc import Iterable

from opcode_core import ErrorCode, OpcodeError
from opcode_core.hosting import did_you_mean

MOST = 64 * 1024
"""Bytes of UTF-8 of one value."""
SHORT = 4
"""Characters; what is shorter occurs anywhere by chance."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")


def check_name(name: str) -> None:
    """Refuse what no secret can be called.

    Raises:
        OpcodeError: VALIDATION_ERROR.
    """
    if not _NAME.fullmatch(name):
        what = "1 to 128 letters, digits, '_', '.', '-', beginning with a letter or '_'"
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"{name!r:.80} is not a secret's name: {what}")


def check_value(value: object) -> None:
    """Refuse what no secret can be; the value itself is in no message.

    Raises:
        OpcodeError: VALIDATION_ERROR.
    """
    if not isinstance(value, str):
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"a secret is a text, not {type(value).__name__}")
    if not value:
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, "a secret cannot be empty; `delete` removes it")
    if (size := len(value.encode("utf-8", "surrogatepass"))) > MOST:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR, f"the value has {size:,} bytes; a secret has at most {MOST:,}"
        )


def not_found(name: str, names: Iterable[str]) -> OpcodeError:
    """There is no such secret, but maybe one of nearly that name."""
    hint = did_you_mean(name, names) or f"set it with: opcode secret set {name}"
    return OpcodeError(ErrorCode.NOT_FOUND, f"there is no secret '{name}'; {hint}")
