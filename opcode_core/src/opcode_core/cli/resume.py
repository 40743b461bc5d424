"""`opcode resume`."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import click

from opcode_core.cli.interrupts import interrupts
from opcode_core.cli.problems import DONE, FAILED, SUSPENDED, say
from opcode_core.cli.screen import print_json
from opcode_core.cli.session import JSON, driving, engine
from opcode_core.contracts.storage import RunRecord
from opcode_core.engine.engine import Engine
from opcode_core.errors import OpcodeError
from opcode_core.state import ACTIVE, COMPLETED, RUN_ENDED, RunState
from opcode_core.state import SUSPENDED as IS_SUSPENDED

MOST_HELD = 20
"""Held runs that are named when no run is asked for,"""
MOST_LOOKED_AT = 1000
"""and the newest suspended ones, of which that is asked."""


@click.command("resume")
@click.argument("run_ids", metavar="[RUN]...", nargs=-1)
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@JSON
def command(run_ids: tuple[str, ...], quiet: bool, as_json: bool) -> int:
    """Go on with the runs that a crash or an interruption left: with the named ones, or with all.

    It stays until they have ended or wait for somebody. An interrupt leaves them as they are.
    """
    return asyncio.run(_resume(run_ids, quiet=quiet, as_json=as_json))


@dataclass(slots=True)
class _Found:
    """What can go on, what is held until somebody says so, and what cannot go on here."""

    left: list[RunRecord] = field(default_factory=list)
    held: dict[str, str] = field(default_factory=dict)
    stuck: dict[str, OpcodeError] = field(default_factory=dict)


async def _resume(run_ids: Sequence[str], *, quiet: bool, as_json: bool) -> int:
    async with engine() as ready:
        found = await (_find_named(ready, run_ids) if run_ids else _find_all(ready))
    for run_id, why in found.held.items():
        say(f"run {run_id} is held ({why}): opcode signal {run_id} retry, or cancel")
    for run_id, error in found.stuck.items():
        say(f"run {run_id} cannot go on here: {error.message}")
    codes = {FAILED} if found.stuck else {SUSPENDED} if run_ids and found.held else {DONE}
    rows: list[dict[str, object]] = []
    if found.left:
        async with driving(others=not run_ids, recovery="resume") as ready:
            if len(found.left) == 1 and not as_json:
                codes.add(await _one(ready, found.left[0], quiet=quiet))
            else:
                rows = await _several(ready, found.left, quiet=quiet or as_json)
                codes |= {_exit_code(str(row["status"])) for row in rows}
    elif not run_ids and not as_json:
        print("nothing is left to go on with")
    if as_json:
        print_json({"workflows": rows, "held": list(found.held)})
    return next(code for code in (FAILED, SUSPENDED, DONE) if code in codes)


def _exit_code(status: str) -> int:
    return DONE if status == COMPLETED else FAILED if status in RUN_ENDED else SUSPENDED


async def _find_all(ready: Engine) -> _Found:
    from opcode_core.cli.leftover import held, left_runs
    from opcode_core.engine.housekeeping import all_runs

    found = _Found()
    async for record in left_runs(ready):
        await _sort(ready, record, found)
    looked_at = 0
    async for record in all_runs(ready.storage, IS_SUSPENDED):
        looked_at += 1
        if (why := await held(ready.storage, record)) is not None:
            found.held[record.id] = why
        if len(found.held) == MOST_HELD or looked_at == MOST_LOOKED_AT:
            break
    return found


async def _find_named(ready: Engine, run_ids: Sequence[str]) -> _Found:
    from opcode_core.cli.leftover import held
    from opcode_core.engine.doctor import Owners

    found, owners = _Found(), Owners(ready.storage, ready.clock)
    for run_id in run_ids:
        record = await ready.find(run_id)
        if (why := await held(ready.storage, record)) is not None:
            found.held[record.id] = why
        elif await owners.live(record.owner):
            say(f"run {record.id} goes on in another process: opcode status {record.id}")
        else:
            await _sort(ready, record, found)
    return found


async def _sort(ready: Engine, record: RunRecord, found: _Found) -> None:
    """A run goes on only where all is installed that its definition needs."""
    try:
        await ready.plan_of(RunState(record.id, definition_hash=record.definition_hash))
    except OpcodeError as error:
        found.stuck[record.id] = error
    else:
        found.left.append(record)


async def _one(ready: Engine, record: RunRecord, *, quiet: bool) -> int:
    from opcode_core.cli.driving import Driver
    from opcode_core.cli.leftover import take_up
    from opcode_core.cli.outcome import outcome, report

    with interrupts() as first:
        driver = Driver(ready, first, quiet=quiet)
        async with driver.from_now(record.id) as see:
            await take_up(ready, record)
            seen = await see()
        came = await outcome(ready, await driver.see_above(seen))
    report(came, stored=True, quiet=quiet)
    return came.exit_code


async def _several(ready: Engine, records: Sequence[RunRecord], *, quiet: bool) -> list[dict[str, object]]:
    from opcode_core.cli.leftover import take_up
    from opcode_core.cli.several import see_all

    with interrupts() as first:
        for record in records:
            if not ready.others or record.status != ACTIVE:
                await take_up(ready, record)
        return await see_all(ready, first, [record.id for record in records], quiet=quiet)
