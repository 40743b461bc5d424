"""Deleting what ended long ago, a batch at a time."""

from collections.abc import AsyncIterator, Callable

from opcode_core.contracts.storage import RunFilter, RunRecord, Storage
from opcode_core.state import ACTIVE, CANCELLED, COMPLETED, FAILED, PENDING, SUSPENDED

BATCH = 200
"""Runs that are deleted in one transaction; others may write between two."""
PAGE = 50
"""Runs that are read at once: each may bring a large output."""

Tell = Callable[[int], None]
"""Called with how many runs are done so far."""


async def purge(storage: Storage, before: float, tell: Tell) -> int:
    """Delete the runs that ended before that time, seconds since the epoch; how many these were.

    A run whose child or parent goes on is kept until that has ended as well.
    """
    deleted = 0
    while True:
        batch = await storage.purge(before, BATCH)
        deleted += batch
        tell(deleted)
        if batch < BATCH:
            return deleted


async def count_purgeable(storage: Storage, before: float, tell: Tell) -> int:
    """How many runs `purge` would delete now. Nothing is changed."""
    parents, needed = set(), set()
    for status in (PENDING, ACTIVE, SUSPENDED):
        async for run in all_runs(storage, status):
            parents.add(run.parent_id)
            needed.add(run.id)
    found = seen = 0
    for status in (COMPLETED, FAILED, CANCELLED):
        async for run in all_runs(storage, status):
            is_old = run.completed_at is not None and run.completed_at < before
            found += is_old and run.id not in parents and run.parent_id not in needed
            seen += 1
            tell(seen)
    return found


async def all_runs(storage: Storage, status: str | None = None) -> AsyncIterator[RunRecord]:
    """Every run's row, newest first, with only a page of them in memory."""
    cursor = None
    while True:
        page = await storage.runs(RunFilter(status=status), PAGE, cursor)
        for run in page.items:
            yield run
        cursor = page.cursor
        if cursor is None:
            return
