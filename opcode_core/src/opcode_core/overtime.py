"""Where expressions go on that are not done in their time on the event loop."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.guarded import Guarded
from opcode_core.guarded_process import MIB
from opcode_core.packing import packed, unpacked
from opcode_core.scope import Steps

IN_PLACE = 0.01
"""Seconds of processor time that an evaluation may take on the event loop."""
SECONDS = 1.0
"""Seconds of processor time that an evaluation may take elsewhere."""

_PATIENCE = 20 * SECONDS
"""Its processes give way to the program: where that is busy, a second of theirs lasts many."""
_REMEMBERED = 256


class TimeUp(OpcodeError):  # noqa: N818
    """An evaluation took as long as it may."""

    def __init__(self, seconds: float, expression: str = "") -> None:
        super().__init__(
            ErrorCode.EXECUTION_ERROR,
            f"took too long: it was stopped after {seconds:g} s",
            details={"expression": expression},
        )


class BoundedProgram(Protocol):
    """An expression that can be stopped."""

    @property
    def source(self) -> str:
        """Its text."""
        ...

    def evaluate(self, scope: Mapping[str, Any], seconds: float) -> Any:
        """The value over `scope`.

        Raises:
            TimeUp: it would take more than `seconds` of processor time.
            OpcodeError: as `Program.evaluate` does.
        """
        ...


class Overtime:
    """Guarded processes for the long evaluations of a language whose short ones are done on the event loop.

    An expression changes nothing, so it is not moved but begun again. One that took long before begins there
    at once, until it is quick there.

    Args:
        language: what errors call it.
        entry: `package.module:function`, a function that calls `work_overtime`.
    """

    def __init__(self, language: str, entry: str) -> None:
        self._guarded = Guarded(
            entry, name=language, seconds=_PATIENCE, memory=1024 * MIB, request=64 * MIB, output=64 * MIB
        )
        self.long: OrderedDict[str, None] = OrderedDict()

    async def evaluate(self, source: str, scope: Mapping[str, Any]) -> Any:
        """The value of an expression over the scope as it is now.

        Raises:
            OpcodeError: as the evaluation does; TIMEOUT_ERROR, EXECUTION_ERROR when its process fails.
        """
        self.remember(source)
        missed = None
        try:
            answer = await self._guarded.call({"source": source, "scope": packed(scope, source)})
            missed = answer["missed"]
        finally:  # packing looks at every step: when the process fails, that is not a guard's own look
            steps = scope.get("steps")
            if isinstance(steps, Steps):
                steps.missed = missed
        if answer["seconds"] < IN_PLACE / 2:
            self.long.pop(source, None)
        if answer["error"] is not None:
            raise OpcodeError.from_dict(answer["error"])
        return answer["value"]

    def close(self) -> None:
        """End the processes; a later evaluation starts new ones."""
        self._guarded.close()

    def remember(self, source: str) -> None:
        """It takes long: from now on it begins here."""
        self.long[source] = None
        self.long.move_to_end(source)
        if len(self.long) > _REMEMBERED:
            self.long.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Timed:
    """An expression as the engine evaluates it: in place, and in overtime when it takes long."""

    program: BoundedProgram
    overtime: Overtime

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        """Its value, or what gives it later."""
        overtime = self.overtime
        if not overtime.long or self.program.source not in overtime.long:
            try:
                return self.program.evaluate(scope, IN_PLACE)
            except TimeUp:
                overtime.remember(self.program.source)  # also when this answer is not waited for
        return overtime.evaluate(self.program.source, scope)


def work_overtime(request: Mapping[str, Any], compiled: Callable[[str], BoundedProgram]) -> dict[str, Any]:
    """In the process: what an expression gives that was not done in place."""
    scope = unpacked(request["scope"])
    value = error = None
    program = compiled(request["source"])
    begun = time.thread_time()
    try:
        value = program.evaluate(scope, SECONDS)
    except OpcodeError as raised:
        error = raised.to_dict()
    seconds = time.thread_time() - begun
    missed = scope["steps"].missed if "steps" in scope else None
    return {"value": value, "error": error, "missed": missed, "seconds": seconds}
