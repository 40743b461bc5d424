"""Runs that a crash or an interruption left: which they are, and taking them up."""

from collections.abc import AsyncIterator, Iterable

from opcode_core import events as e
from opcode_core.cli.family import relatives
from opcode_core.contracts.storage import EventFilter, RunRecord, Storage
from opcode_core.engine.doctor import Owners
from opcode_core.engine.engine import Engine
from opcode_core.engine.housekeeping import all_runs
from opcode_core.state import ACTIVE, FAILED, RUN_ENDED, SUSPENDED

MOST_MESSAGES = 10_000
PAGE = 1000


async def left_runs(ready: Engine) -> AsyncIterator[RunRecord]:
    """Runs that would go on, if only somebody drove them; newest first, those that failed and were told to go on last."""
    owners, now = Owners(ready.storage, ready.clock), ready.clock.now()
    told = {message.workflow_id for message in await ready.storage.messages(limit=MOST_MESSAGES)}
    for status in (ACTIVE, SUSPENDED):
        async for record in all_runs(ready.storage, status):
            if await owners.live(record.owner):
                continue
            is_due = record.wakes_at is not None and record.wakes_at <= now
            if status == ACTIVE or record.owner is not None or is_due or record.id in told:
                yield record
    for run_id in told:
        failed = await ready.storage.run(run_id)
        if failed is not None and failed.status == FAILED:
            yield failed


async def held(storage: Storage, record: RunRecord) -> str | None:
    """Why a suspended run goes on only when somebody says so; None when nothing holds it, or somebody has."""
    if record.status != SUSPENDED or await storage.messages(record.id, 1):
        return None
    reason, after = None, 0
    while True:
        where = EventFilter(workflow_id=record.id, event_type=e.WORKFLOW_SUSPENDED, after=after)
        page = await storage.events(where, PAGE)
        for event in page.items:
            reason, after = event.payload.get("held"), event.sequence
        if len(page.items) < PAGE:
            return reason


async def take_up(ready: Engine, record: RunRecord) -> None:
    """Go on here with a run and those around it, as far as nobody else drives them, and deliver what they were told.

    Raises:
        OpcodeError: when one cannot be driven here, because its definition needs what is not installed.
    """
    await ready.watch.begin()
    await ready.watch.bury()
    family = [record.id]
    if record.status not in RUN_ENDED:
        family += await relatives(ready.storage, record)
    ready.runs.own.update(family)
    for run_id in family if record.status not in RUN_ENDED else ():
        await ready.runs.bring(run_id)
    await deliver(ready, family)


async def deliver(ready: Engine, run_ids: Iterable[str]) -> None:
    """Let runs receive what was said to them while nobody drove them."""
    for run_id in run_ids:
        for message in await ready.storage.messages(run_id, MOST_MESSAGES):
            await ready.runs.deliver(message)
