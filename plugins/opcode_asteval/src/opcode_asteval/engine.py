"""The engine named `python`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from opcode_core import ErrorCode, Guarded, OpcodeError, Program

MAX_SOURCE = 8 * 1024
"""Characters of an expression."""

CHECK_SECONDS = 0.1
"""How long `compile` may keep its caller waiting."""

_SHOWN = 500


class PythonEngine:
    """Reads and evaluates Python expressions in guarded processes.

    `compile` asks such a process whether the text is an expression that is allowed, and which
    names it uses. It blocks for that: a millisecond for a new text, a tenth of a second at
    most, nothing for a known one. Python's own parser can be made to crash by what it is given,
    so nothing is parsed in this process. A text whose check takes too long is not refused: it is
    checked again when it is evaluated.
    """

    name = "python"

    def __init__(self, *, seconds: float = 1.0, memory: int = 256 * 2**20) -> None:
        self._guarded = Guarded(
            "opcode_asteval.evaluation:evaluate", name="python", seconds=seconds, memory=memory
        )
        self._cached = lru_cache(maxsize=512)(self._compiled)

    def compile(self, source: str) -> Program:
        """Check `source`.

        Raises:
            OpcodeError: VALIDATION_ERROR.
        """
        if len(source) > MAX_SOURCE:
            raise OpcodeError(
                ErrorCode.VALIDATION_ERROR,
                f"an expression has at most {MAX_SOURCE // 1024} KiB, and this one has {len(source):,} characters",
            )
        return self._cached(source)

    def close(self) -> None:
        """End the processes; a later expression starts new ones."""
        self._guarded.close()

    def _compiled(self, source: str) -> "PythonProgram":
        try:
            used = self._guarded.ask({"source": source}, CHECK_SECONDS)
        except OpcodeError as error:
            if error.code is not ErrorCode.TIMEOUT_ERROR:
                raise _about(error, source) from None
            return PythonProgram(self._guarded, source, None, None)
        steps = used["steps"]
        return PythonProgram(
            self._guarded, source, frozenset(used["names"]), None if steps is None else frozenset(steps)
        )


@dataclass(frozen=True, slots=True)
class PythonProgram:
    """An expression, which the guarded processes keep parsed under its text.

    Attributes:
        names: what it uses of the scope, None when that is not known.
        steps: the steps that it names, None when it may use any.
    """

    guarded: Guarded
    source: str
    names: frozenset[str] | None
    steps: frozenset[str] | None

    async def evaluate(self, scope: Mapping[str, Any]) -> Any:
        """Its value.

        Raises:
            OpcodeError: EXECUTION_ERROR, TIMEOUT_ERROR; VALIDATION_ERROR when `compile` could not tell.
        """
        try:
            return await self.guarded.call({"source": self.source, "scope": self._seen(scope)})
        except OpcodeError as error:
            raise _about(error, self.source) from None

    def _seen(self, scope: Mapping[str, Any]) -> dict[str, Any]:
        """The part of the scope that it uses, as JSON; steps as output, status, error."""
        names = scope.keys() if self.names is None else self.names & scope.keys()
        seen = {name: scope[name] for name in names if name != "steps"}
        if "steps" in names:
            steps = scope["steps"]
            ids = list(steps) if self.steps is None else [name for name in self.steps if name in steps]
            views = [steps[step_id] for step_id in ids]
            seen["steps"] = {
                step_id: [view.output, view.status, view.error]
                for step_id, view in zip(ids, views, strict=True)
            }
            if self.steps is not None and len(ids) < len(self.steps):
                seen["known steps"] = list(steps)  # for the message that names what is there
        return seen


def _about(error: OpcodeError, source: str) -> OpcodeError:
    shown = source if len(source) <= _SHOWN else f"{source[: _SHOWN - 1]}…"
    return OpcodeError(error.code, error.message, details={**error.details, "expression": shown})
