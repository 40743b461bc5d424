"""Regular expressions that take time linear in the text (RE2), and not too much of it."""

from functools import lru_cache
from typing import Any

from opcode_core import ErrorCode, OpcodeError

MOST_WORK = 250_000_000
"""Size of the compiled pattern times bytes of the text; at worst about 4 ns each, so a second."""


@lru_cache(maxsize=32)
def compile_pattern(pattern: str) -> Any:
    """The pattern in RE2's syntax, which has no look-around and no back-references.

    Raises:
        ValueError: when RE2 cannot read it.
    """
    import re2  # type: ignore[import-untyped]

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options=options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        raise ValueError(reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason) from None
    except UnicodeEncodeError:
        raise ValueError("it holds half a surrogate pair") from None


def search(pattern: str, text: str) -> Any:
    """The first match somewhere in `text`, or None.

    Raises:
        ValueError: when RE2 cannot read the pattern.
        OpcodeError: VALIDATION_ERROR when it would take too long, or the text cannot be UTF-8.
    """
    compiled = compile_pattern(pattern)
    if compiled.programsize * len(text) > MOST_WORK:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR,
            f"a text of {len(text):,} characters is too long for so large a pattern; use a smaller pattern",
        )
    try:
        return compiled.search(text)
    except UnicodeEncodeError as error:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR, f"the text holds half a surrogate pair at character {error.start}"
        ) from None
