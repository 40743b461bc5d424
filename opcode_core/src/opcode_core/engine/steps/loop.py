"""The loop step: a body, again and again."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from opcode_core import events as e
from opcode_core.engine.failure import Halted
from opcode_core.engine.steps.branches import Work, run_together
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.plan import LoopPlan, StepPlan
from opcode_core.scope import Scope
from opcode_core.state import StepState
from opcode_core.stop import Stop
from opcode_core.unfinished import finished

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
        self.items: list[Any] | None = None

    async def for_each(self) -> None:
        items = self.state.items
        if items is None:
            items = self.items = await self.over()
        if self.flow.concurrency == 1:
            for index in self.unfinished(len(items)):
                await self.iterate(index, items[index], self.scope)
        else:
            await self.concurrently(items)

    @property
    def state(self) -> StepState:
        return self.run.state.steps[self.step_id]

    def unfinished(self, end: int) -> Iterator[int]:
        """The iterations without a result, those that began first."""
        state = self.state
        if state.begun:
            results = state.results or {}
            yield from [index for index in range(state.begun) if index not in results]
        yield from range(state.begun, end)

    async def over(self) -> list[Any]:
        assert self.flow.over is not None
        items = await finished(self.flow.over, self.scope)
        if not isinstance(items, list):
            raise OpcodeError(
                ErrorCode.EXECUTION_ERROR,
                f"'over' must give a list, but '{self.flow.source}' gave {_kind(items)}",
            )
        return items[: self.flow.max_iter]

    async def concurrently(self, items: list[Any]) -> None:
        """Workers that take the next item, so that only as many tasks exist as may run."""
        stop = Stop(self.scope.stop)
        scope = self.scope.with_stop(stop)
        left = self.unfinished(len(items))

        def worker() -> Work:
            current: list[int] = []  # an iteration in which the worker waits

            async def work() -> None:
                while True:
                    if not current:
                        current.extend(islice(left, 1))
                    if not current:
                        return
                    await self.iterate(current[0], items[current[0]], scope)
                    current.clear()

            return work

        count = min(self.flow.concurrency, len(items)) or 1
        await run_together(self.run, [worker() for _ in range(count)], stop, f"loop {self.step_id}")

    async def by_condition(self) -> None:
        index = len(self.state.results or ())
        scope = self.inside(index - 1) if index else self.scope
        while index < (self.flow.max_iter or 0):
            if self.state.begun <= index and not await self.goes_on(scope, index):
                return
            await self.iterate(index, None, self.scope)
            scope = self.inside(index)
            index += 1

    async def goes_on(self, scope: Scope, index: int) -> bool:
        """Whether there is an iteration `index`, seen from the one before it."""
        if self.flow.mode == "while":
            return await self.holds(scope, index)
        return index == 0 or not await self.holds(scope, index - 1)

    async def holds(self, scope: Scope, index: int) -> bool:
        """The condition, seen from the latest iteration; before the first one from outside."""
        condition = self.flow.condition
        assert condition is not None
        names = {**scope.names, "iter": {"index": index, "item": None}}
        value = await finished(lambda here: here.evaluate(condition, names), scope)
        if not isinstance(value, bool):
            raise OpcodeError(
                ErrorCode.EXECUTION_ERROR,
                f"the loop's condition '{self.flow.source}' gave {value!r}, not true or false",
            )
        return value

    def inside(self, index: int, item: Any = None, scope: Scope | None = None) -> Scope:
        """Where an iteration's steps are."""
        return (scope or self.scope).within(f"{self.step_id}.iter_{index}.", {"item": item, "index": index})

    async def iterate(self, index: int, item: Any, scope: Scope) -> None:
        """Do the body once."""
        run, step_id = self.run, self.step_id
        inner = self.inside(index, item, scope)
        if (reason := scope.stop.requested) is not None:
            raise Halted(reason)
        if index >= self.state.begun:
            begin: dict[str, Any] = {"index": index}
            if self.items is not None and not self.flow.static:
                begin["items"], self.items = self.items, None  # whatever `over` would give later
            run.record(e.LOOP_ITER_STARTED, step_id, begin)
        last = await run.door.do_block(self.flow.body, inner)
        done: dict[str, Any] = {"index": index, "last": last}
        over = index if self.flow.condition is None else index - 1  # the condition looks at the latest
        if self.flow.fold and over >= KEPT:
            done["folded"] = {"index": over, "steps": list(self.flow.body.ids)}
        run.record(e.LOOP_ITER_COMPLETED, step_id, done)
        await run.breathe()


def _kind(value: Any) -> str:
    names = {dict: "an object", str: "a text", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null" if value is None else type(value).__name__)
