"""Regular expressions: RE2's, within bounds of time and memory."""

from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]

from opcode_cel.faults import EvalError
from opcode_cel.meter import Meter

MAX_PATTERN = 4096
"""Characters of a pattern."""

MAX_WORK = 100_000_000
"""Characters of the text times steps of the pattern's program: half a second, where RE2 is slowest."""


def matches(meter: Meter, text: str, pattern: str) -> bool:
    """Whether the RE2 pattern is found anywhere in the text; linear in its length."""
    if len(pattern) > MAX_PATTERN:
        raise EvalError(f"a pattern has at most {MAX_PATTERN} characters")
    try:
        compiled = _pattern(pattern)
    except re2.error as error:
        why = error.args[0] if error.args else "it is malformed"
        shown = why.decode(errors="replace") if isinstance(why, bytes) else str(why)
        raise EvalError(f"not a pattern of RE2: {shown}") from None
    work = len(text) * compiled.programsize
    if work > MAX_WORK:
        most = MAX_WORK // compiled.programsize
        raise EvalError(f"the text has {len(text):,} characters, and this pattern takes at most {most:,}")
    meter.spend(1 + work // 256)
    try:
        return compiled.search(text) is not None
    except UnicodeEncodeError:
        raise EvalError("the string holds half a character, which no pattern takes") from None


@lru_cache(maxsize=64)
def _pattern(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    return re2.compile(pattern, options=options)
