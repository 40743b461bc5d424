"""A compiled expression."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opcode_cel.checks import check
from opcode_cel.closures import Closure
from opcode_cel.faults import EvalError, LimitError, shortened
from opcode_cel.interpreter import Runner
from opcode_cel.meter import SECONDS, Meter
from opcode_cel.plain import DOUBTS, plain
from opcode_cel.results import to_json
from opcode_cel.syntax import parse
from opcode_core import ErrorCode, OpcodeError, TimeUp

# celpy logs an error for what is an ordinary answer here.
logging.getLogger("celpy").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class CelProgram:
    """An expression, compiled once; safe to evaluate from several threads.

    Attributes:
        runner: the interpreter over the parsed expression.
        direct: a closure for expressions of the plain kind, tried first, or None.
    """

    runner: Runner
    direct: Closure | None

    def evaluate(self, scope: Mapping[str, Any], seconds: float = SECONDS) -> Any:
        """The value over `scope`, as JSON.

        Raises:
            OpcodeError: EXECUTION_ERROR.
            TimeUp: it takes more than `seconds` of processor time.
        """
        if self.direct is not None:
            try:
                return self.direct(scope)
            except DOUBTS:
                pass
        return self.interpret(scope, seconds)

    def interpret(self, scope: Mapping[str, Any], seconds: float = SECONDS) -> Any:
        """The same by the interpreter alone."""
        meter = Meter(seconds)
        try:
            return to_json(self.runner.evaluate(scope, meter), meter)
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

    @property
    def source(self) -> str:
        """The text that it was compiled from."""
        return self.runner.source.text


def compile_program(text: str) -> CelProgram:
    """Parse, check, and find the fastest way to evaluate.

    Raises:
        OpcodeError: VALIDATION_ERROR.
    """
    source = parse(text)
    check(source)
    return CelProgram(Runner(source), plain(source.tree))
