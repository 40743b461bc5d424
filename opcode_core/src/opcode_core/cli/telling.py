"""Telling a run something: it goes on here, or is left to whoever drives it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opcode_core import events as e
from opcode_core.answers import signal_answer
from opcode_core.cli.driving import Driver
from opcode_core.cli.family import relatives
from opcode_core.cli.interrupts import interrupts
from opcode_core.cli.outcome import outcome, report
from opcode_core.cli.problems import DONE, FAILED, Usage, say
from opcode_core.cli.screen import print_json
from opcode_core.cli.server import ask, running, stored_events
from opcode_core.cli.session import driving, engine
from opcode_core.contracts.storage import EventFilter, Message
from opcode_core.engine import signals
from opcode_core.engine.doctor import Owners
from opcode_core.engine.engine import Engine
from opcode_core.engine.run import Run
from opcode_core.folding import fold
from opcode_core.runfile import Running
from opcode_core.state import RunState

LOOKED_AT = 3.0
"""Seconds in which a living process that drives the run looks for what it is told."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is said, to which run, by whom."""

    run_id: str
    kind: str
    payload: Mapping[str, Any]
    step_id: str | None
    agent_id: str


async def tell_and_see(told: Told, *, quiet: bool, as_json: bool) -> int:
    """The run goes on in this process until it ends or waits again, unless another one drives it."""
    server = running()
    if server is not None:
        return await _tell_server(server, told, quiet=quiet, as_json=as_json)
    async with driving() as ready:
        record = await ready.find(told.run_id)
        before = await ready.state(record.id)
        _check_choice(told, before)
        ready.runs.own.update(await relatives(ready.storage, record))
        with interrupts() as first:
            driver = Driver(ready, first, quiet=quiet)
            async with driver.from_now(record.id) as see:
                state = await ready.signal(
                    record.id, told.kind, told.payload, step_id=told.step_id, agent_id=told.agent_id
                )
                answer = signal_answer(state, told.kind)
                if record.id not in ready.runs.own:
                    return _report_left(answer, await _is_taken(ready, told, before), as_json=as_json)
                seen = await see()
            came = await outcome(ready, await driver.see_above(seen))
    if as_json:
        print_json({**answer, **came.answer})
    else:
        report(came, stored=True, quiet=quiet)
    return came.exit_code


async def _tell_server(server: Running, told: Told, *, quiet: bool, as_json: bool) -> int:
    """Let the running server tell the run, and look on until it ends or waits again."""
    async with engine() as ready:
        record = await ready.find(told.run_id)
        _check_choice(told, await ready.state(record.id))
        with interrupts() as first:
            driver = Driver(ready, first, quiet=quiet)
            state = fold(record.id, await ready.log(record.id))
            events = stored_events(ready.storage, record.id, state.sequence)
            about = {} if told.step_id is None else {"step_id": told.step_id}
            said = {
                "signal_type": told.kind,
                "payload": dict(told.payload),
                "agent_id": told.agent_id,
                **about,
            }
            answer = await ask(server, "signal", {"workflow_id": record.id, **said})
            plan = await ready.plan_of(state)
            seen = await driver.see(events, state.name or record.id, plan, state)
        came = await outcome(ready, seen)
    if as_json:
        print_json({**answer, **came.answer})
    else:
        report(came, stored=True, quiet=quiet)
    return came.exit_code


async def tell_and_leave(told: Told, *, as_json: bool) -> int:
    """What is said is stored, for whoever drives the run next.

    Raises:
        OpcodeError: when the run, as it stands, cannot do what is said; nothing is stored then.
    """
    async with engine() as ready:
        record = await ready.find(told.run_id)
        state = await ready.state(record.id)
        _check_choice(told, state)
        said = signals.checked(told.kind, told.payload)
        message = Message(
            ready.ids.new(), record.id, told.kind, told.step_id, said, told.agent_id, ready.clock.now()
        )
        answer = signal_answer(state, told.kind)
        signals.apply(
            Run(ready, await ready.plan_of(state), state), message
        )  # rehearsed; the object is forgotten
        await ready.storage.post(message)
        is_driven = await Owners(ready.storage, ready.clock).live(record.owner)
    if is_driven or as_json:
        return _report_left(answer, None, as_json=as_json)
    print(f"it is stored; run {record.id} goes on with: opcode resume {record.id}")
    return DONE


def _check_choice(told: Told, state: RunState) -> None:
    """Say what can be chosen to somebody who has not chosen."""
    if told.kind != "decision" or "choice" in told.payload or "reject" in told.payload:
        return
    for decision in state.decisions.values():
        if told.step_id in (None, decision.step_id):
            options = ", ".join(str(option["id"]) for option in decision.options)
            what = f"the options of {decision.step_id} are {options}" if options else "it may be any text"
            raise Usage(f"say --choice OPTION or --reject REASON; {what}")


async def _is_taken(ready: Engine, told: Told, before: RunState) -> bool | None:
    """Whether the process that drives the run took it; None when it did not look in time."""
    until = ready.clock.monotonic() + LOOKED_AT
    while ready.clock.monotonic() < until:
        await asyncio.sleep(0.1)
        if await ready.storage.messages(before.id, 1):
            continue
        where = EventFilter(workflow_id=before.id, event_type=e.SIGNAL_RECEIVED, after=before.sequence)
        return any(
            event.payload["signal_type"] == told.kind and event.agent_id == told.agent_id
            for event in (await ready.storage.events(where, 1000)).items
        )
    return None


def _report_left(answer: Mapping[str, Any], taken: bool | None, *, as_json: bool) -> int:
    run_id = answer["workflow_id"]
    if as_json:
        print_json({**answer, "ok": taken is not False, "delivered": bool(taken)})
    elif taken is False:
        say(f"the process that drives run {run_id} refused it; what it wrote to standard error says why")
    elif taken:
        print(f"another process drives run {run_id} and goes on with it: opcode status {run_id}")
    else:
        print(f"it is left for the process that drives run {run_id}: opcode status {run_id}")
    return FAILED if taken is False else DONE
