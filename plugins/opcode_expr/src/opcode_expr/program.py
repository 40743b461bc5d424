"""A compiled expression."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opcode_core import ErrorCode, OpcodeError, TimeUp
from opcode_expr.compiler import Compiler
from opcode_expr.environment import Environment
from opcode_expr.faults import EvalError, LimitError, shortened
from opcode_expr.frame import Closure, Frame
from opcode_expr.meter import SECONDS, Meter
from opcode_expr.results import to_json
from opcode_expr.syntax import parse


@dataclass(frozen=True, slots=True)
class ExprProgram:
    """An expression, compiled once; safe to evaluate from several threads.

    Attributes:
        source: the text that it was compiled from.
        body: what gives its value.
        slots: how many variables it has.
    """

    source: str
    body: Closure
    slots: int

    def evaluate(self, scope: Mapping[str, Any], seconds: float = SECONDS) -> Any:
        """The value over `scope`, as JSON.

        Raises:
            OpcodeError: EXECUTION_ERROR.
            TimeUp: it takes more than `seconds` of processor time.
        """
        meter = Meter(seconds)
        try:
            return to_json(self.body(Frame(Environment(scope), meter, self.slots)), meter)
        except TimeUp:
            raise TimeUp(seconds, shortened(self.source, 500)) from None
        except (EvalError, LimitError) as error:
            message = str(error)
        except RecursionError:
            message = "the expression and its values are nested too deeply"
        except OverflowError:
            message = "a number is far too large"
        raise OpcodeError(
            ErrorCode.EXECUTION_ERROR,
            shortened(message, 2000),
            details={"expression": shortened(self.source, 500)},
        )


def compile_program(text: str) -> ExprProgram:
    """Parse and check.

    Raises:
        OpcodeError: VALIDATION_ERROR.
    """
    compiler = Compiler(parse(text))
    return ExprProgram(text, compiler.body(), compiler.slots)
