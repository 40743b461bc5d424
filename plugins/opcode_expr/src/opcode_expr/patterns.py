"""Regular expressions in an evaluation: RE2's, within its bounds."""

from opcode_core import Pattern, pattern
from opcode_expr.faults import EvalError
from opcode_expr.meter import Meter


def matches(text: str, source: str, meter: Meter) -> bool:
    """Whether the pattern is found anywhere in the text.

    Raises:
        EvalError: it is no pattern, or one that takes too long over this text.
    """
    readable = compiled(source)
    try:
        meter.spend(1 + readable.work(text) // 256)
        return readable.search(text) is not None
    except ValueError as error:
        raise EvalError(str(error)) from None


def compiled(source: str) -> Pattern:
    """The pattern, ready.

    Raises:
        EvalError: it is no pattern of RE2.
    """
    try:
        return pattern(source)
    except ValueError as error:
        raise EvalError(f"not a pattern of RE2: {error}") from None
