"""The loop step: a body, again and again."""

import inspect
from typing import TYPE_CHECKING, Any

from opcode_core import events as e
from opcode_core.engine.failure import Halted
from opcode_core.engine.steps.branches import run_together
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.plan import LoopPlan, StepPlan
from opcode_core.scope import Scope
from opcode_core.stop import Stop

if TYPE_CHECKING:
    from opcode_core.engine.run import Run

KEPT = 100
"""Iterations whose steps stay visible one by one; of later ones only the result is kept."""


async def run_loop(run: "Run", step: StepPlan, step_id: str, scope: Scope) -> dict[str, Any]:
    """Go through a list, or go on while or until a condition holds."""
    flow = step.flow
    assert isinstance(flow, LoopPlan)
    loop = _Loop(run, flow, step_id, scope)
    if flow.mode == "for_each":
        await loop.for_each()
    else:
        await loop.by_condition()
    results = run.state.steps[step_id].results or {}
    output = {"iterations": len(results), "results": [results[i] for i in range(len(results))]}
    run.record(e.LOOP_COMPLETED, step_id, {"iterations": len(results)})
    return output


class _Loop:
    def __init__(self, run: "Run", flow: LoopPlan, step_id: str, scope: Scope) -> None:
        self.run = run
        self.flow = flow
        self.step_id = step_id
        self.scope = scope

    async def for_each(self) -> None:
        items = await self.items()
        if self.flow.max_iter is not None:
            items = items[: self.flow.max_iter]
        if self.flow.concurrency == 1:
            for index, item in enumerate(items):
                await self.iterate(index, item, self.scope)
        else:
            await self.concurrently(items)

    async def items(self) -> list[Any]:
        assert self.flow.over is not None
        items = self.flow.over(self.scope)
        if inspect.isawaitable(items):
            items = await items
        if not isinstance(items, list):
            raise OpcodeError(
                ErrorCode.EXECUTION_ERROR,
                f"'over' must give a list, but '{self.flow.source}' gave {_kind(items)}",
            )
        return items

    async def concurrently(self, items: list[Any]) -> None:
        """Workers that take the next item, so that only as many tasks exist as may run."""
        stop = Stop(self.scope.stop)
        scope = self.scope.with_stop(stop)
        numbered = iter(enumerate(items))

        async def work() -> None:
            for index, item in numbered:
                await self.iterate(index, item, scope)

        count = min(self.flow.concurrency, len(items)) or 1
        await run_together([work() for _ in range(count)], stop, f"loop {self.step_id}")

    async def by_condition(self) -> None:
        index, scope = 0, self.scope
        while index < (self.flow.max_iter or 0):
            if self.flow.mode == "while" and not self.holds(scope, index):
                return
            scope = await self.iterate(index, None, self.scope)
            if self.flow.mode == "until" and self.holds(scope, index):
                return
            index += 1

    def holds(self, scope: Scope, index: int) -> bool:
        """The condition, seen from the latest iteration; before the first one from outside."""
        assert self.flow.condition is not None
        names = {**scope.names, "iter": {"index": index, "item": None}}
        value = self.flow.condition.evaluate(names)
        if not isinstance(value, bool):
            raise OpcodeError(
                ErrorCode.EXECUTION_ERROR,
                f"the loop's condition '{self.flow.source}' gave {value!r}, not true or false",
            )
        return value

    async def iterate(self, index: int, item: Any, scope: Scope) -> Scope:
        """Do the body once, unless the log has its result."""
        run, step_id = self.run, self.step_id
        inner = scope.within(f"{step_id}.iter_{index}.", {"item": item, "index": index})
        results = run.state.steps[step_id].results
        if results is not None and index in results:
            return inner
        if (reason := scope.stop.requested) is not None:
            raise Halted(reason)
        run.record(e.LOOP_ITER_STARTED, step_id, {"index": index})
        last = await run.door.do_block(self.flow.body, inner)
        done: dict[str, Any] = {"index": index, "last": last}
        over = index if self.flow.condition is None else index - 1  # the condition looks at the latest
        if self.flow.fold and over >= KEPT:
            done["folded"] = {"index": over, "steps": list(self.flow.body.ids)}
        run.record(e.LOOP_ITER_COMPLETED, step_id, done)
        await run.breathe()
        return inner


def _kind(value: Any) -> str:
    names = {dict: "an object", str: "a text", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null" if value is None else type(value).__name__)
