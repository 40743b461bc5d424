"""Regular expressions in an evaluation: RE2's, within its bounds."""

from opcode_cel.faults import EvalError
from opcode_cel.meter import Meter
from opcode_core import pattern


def matches(meter: Meter, text: str, source: str) -> bool:
    """Whether the pattern is found anywhere in the text."""
    try:
        readable = pattern(source)
    except ValueError as error:
        raise EvalError(f"not a pattern of RE2: {error}") from None
    try:
        meter.spend(1 + readable.work(text) // 256)
        return readable.search(text) is not None
    except ValueError as error:
        raise EvalError(str(error)) from None
