"""Patterns of RE2: linear in the length of the text."""

from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]

from opcode_expr.faults import EvalError
from opcode_expr.meter import Meter

MAX_PATTERN = 4096
"""Characters of a pattern."""

MAX_WORK = 100_000_000
"""Characters of the text times steps of the pattern's program: half a second, where RE2 is slowest."""


def matches(text: str, pattern: str, meter: Meter) -> bool:
    """Whether the pattern is found anywhere in the text.

    Raises:
        EvalError: it is no pattern, or one that takes too long over this text.
    """
    program = compiled(pattern)
    work = len(text) * program.programsize
    if work > MAX_WORK:
        most = MAX_WORK // program.programsize
        raise EvalError(f"the text has {len(text):,} characters, and this pattern takes at most {most:,}")
    meter.spend(1 + work // 256)
    try:
        return program.search(text) is not None
    except UnicodeEncodeError:
        raise EvalError("the string holds half a character, which no pattern takes") from None


def compiled(pattern: str) -> Any:
    """The pattern, ready.

    Raises:
        EvalError: it is no pattern of RE2.
    """
    if len(pattern) > MAX_PATTERN:
        raise EvalError(f"a pattern has at most {MAX_PATTERN} characters")
    try:
        return _cached(pattern)
    except re2.error as error:
        why = error.args[0] if error.args else "it is malformed"
        shown = why.decode(errors="replace") if isinstance(why, bytes) else str(why)
        raise EvalError(f"not a pattern of RE2: {shown}") from None


@lru_cache(maxsize=256)
def _cached(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    return re2.compile(pattern, options=options)
