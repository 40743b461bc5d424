"""A run with those that it waits for and those that wait for it: they go on together."""

from collections import deque
from collections.abc import AsyncIterator

from opcode_core.contracts.storage import RunFilter, RunRecord, Storage
from opcode_core.engine.engine import Engine
from opcode_core.state import ACTIVE, RUN_ENDED, SUSPENDED, RunState

PAGE = 100


async def relatives(storage: Storage, record: RunRecord) -> list[str]:
    """The ids of the runs above it and of all below these that have not ended, without its own."""
    top = record
    while top.parent_id is not None and (above := await storage.run(top.parent_id)) is not None:
        if above.status in RUN_ENDED:
            break
        top = above
    found, todo = {top.id: None}, deque([top.id])
    while todo:
        async for child in _open_children(storage, todo.popleft()):
            if child.id not in found:
                found[child.id] = None
                todo.append(child.id)
    found.pop(record.id, None)
    return list(found)


async def _open_children(storage: Storage, run_id: str) -> AsyncIterator[RunRecord]:
    for status in (ACTIVE, SUSPENDED):
        cursor = None
        while True:
            page = await storage.runs(RunFilter(parent_id=run_id, status=status), PAGE, cursor)
            for run in page.items:
                yield run
            cursor = page.cursor
            if cursor is None:
                break


async def waiting_family(ready: Engine, state: RunState) -> list[RunState]:
    """A run and, below it, those that it waits for and that have not ended either."""
    family, todo = [state], deque([state])
    while todo:
        for step in todo.popleft().steps.values():
            if step.status != SUSPENDED or step.waiting is None or step.waiting["for"] != "run":
                continue
            child = await ready.state(step.waiting["run_id"])
            if not child.ended:
                family.append(child)
                todo.append(child)
    return family
