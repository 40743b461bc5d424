"""An expression engine: CEL, jq, Python, or another's."""

from collections.abc import Mapping
from typing import Any, Protocol


class Program(Protocol):
    """An expression, compiled once and evaluated many times."""

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        """The value over `scope`: `steps`, `inputs`, `workflow`, `context`, `iter`, and `data` in `expr.eval`.

        `scope` is lazy: read only what the expression touches. `scope["steps"]` maps ids to
        `StepView`s. The result is JSON, or an awaitable of JSON. Guards and templates are
        evaluated on a step's path: what can be answered at once is answered without an awaitable.

        Raises:
            OpcodeError: EXECUTION_ERROR with a message that names what was wrong and where.
        """
        ...


class ExpressionEngine(Protocol):
    """A language."""

    name: str

    def compile(self, source: str) -> Program:
        """Parse `source`.

        Raises:
            OpcodeError: VALIDATION_ERROR when it is not a sentence of the language.
        """
        ...
