"""A run of an example: real actions and real HTTP, but secrets and answers that are given, and time that is not waited for."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from opcode_core.cli.example_files import Example
from opcode_core.cli.family import relatives
from opcode_core.codec import loads
from opcode_core.contracts.action import Action, ActionContext
from opcode_core.contracts.storage import Storage
from opcode_core.decisions import Decision
from opcode_core.engine.engine import Engine
from opcode_core.engine.runner import InProcessRunner
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.events import Event
from opcode_core.memory import MemoryStorage
from opcode_core.plugins.manager import PluginManager
from opcode_core.state import SUSPENDED, RunState

LOOK = 0.01
"""Seconds between two looks at a run that rests, or may."""
LOOKS, MOST_LOOKS = 2, 20
"""How often a run looks the same before it is told something, and before it is given up."""


class SkippingClock:
    """The machine's time, but pauses take none, and longer waits are over when `skip_to` says so."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._skipped = asyncio.Event()

    def now(self) -> float:
        """Seconds since the epoch, and all that was skipped."""
        return time.time() + self._ahead

    def monotonic(self) -> float:
        """The same for measuring."""
        return time.monotonic() + self._ahead

    async def sleep(self, seconds: float) -> None:
        """Skip a short pause."""
        self._ahead += max(seconds, 0.0)
        await asyncio.sleep(0)

    async def sleep_until(self, when: float) -> None:
        """Come back at that time, be it reached or skipped to."""
        while (left := when - self.now()) > 0:
            try:
                async with asyncio.timeout(left):
                    await self._skipped.wait()
            except TimeoutError:
                continue

    def skip_to(self, when: float) -> None:
        """Let it be that late."""
        self._ahead += max(when - self.now(), 0.0)
        self._skipped.set()
        self._skipped = asyncio.Event()


class CountingRunner(InProcessRunner):
    """Knows how many actions are in flight."""

    def __init__(self) -> None:
        self.in_flight = 0

    async def run(self, action: Action, params: dict[str, Any], context: ActionContext) -> Any:
        """Call it here."""
        self.in_flight += 1
        try:
            return await super().run(action, params, context)
        finally:
            self.in_flight -= 1


@dataclass(frozen=True, slots=True)
class GivenSecrets:
    """A vault that holds what it was given, and takes nothing."""

    values: Mapping[str, str]

    async def get(self, key: str) -> str:
        """The value.

        Raises:
            OpcodeError: NOT_FOUND.
        """
        if key not in self.values:
            raise OpcodeError(ErrorCode.NOT_FOUND, f"the example has no secret '{key}'")
        return self.values[key]

    async def set(self, key: str, value: str) -> None:  # noqa: ARG002 - as Vault says
        """Refused."""
        raise OpcodeError(ErrorCode.VAULT_ERROR, f"the example's secret '{key}' cannot be changed")

    async def delete(self, key: str) -> bool:
        """Refused."""
        raise OpcodeError(ErrorCode.VAULT_ERROR, f"the example's secret '{key}' cannot be deleted")

    async def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self.values)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to a decision (`kind` decision) or to a step that waits for a signal (`data`)."""

    kind: str
    payload: Mapping[str, Any]


class Listener(Protocol):
    """Who is asked."""

    async def ask(self, decision: Decision) -> Answer | None:
        """The answer to a question; None lets its time run out."""
        ...

    async def send(self, step_id: str, signal: str) -> Answer | None:
        """What comes with the signal that a step waits for; None lets its time run out."""
        ...


class Rehearsal:
    """Sees one run through.

    Args:
        storage: where it is remembered while it lasts.
        secrets: what the vault holds.
        people: who is asked.
    """

    def __init__(
        self, storage: Storage, plugins: PluginManager, secrets: Mapping[str, str], people: Listener
    ) -> None:
        self._clock, self._runner = SkippingClock(), CountingRunner()
        self.engine = Engine(storage, plugins, clock=self._clock, runner=self._runner, others=False)
        self.engine.vault = GivenSecrets(secrets)
        self._people = people
        self._said: set[str] = set()

    async def see(self, template: str, params: Mapping[str, Any]) -> RunState:
        """Start it, answer it and skip its waits, until it ends or can only go on by somebody's word."""
        run_id = await self.engine.start(template, params)
        looks = LOOKS
        while True:
            family = await self._rests(run_id, looks)
            if family[0].ended:
                return family[0]
            if await self._speak(family) or self._skip(family):
                looks = LOOKS
            elif any(one.status != SUSPENDED for one in family):
                continue  # an expression is evaluated in another process, which no action knows of
            elif looks == MOST_LOOKS:
                return family[0]
            else:
                looks = MOST_LOOKS

    async def _rests(self, run_id: str, looks: int) -> list[RunState]:
        """It and its children, once it has ended or nothing has happened for that many looks in a row."""
        seen, same = None, 0
        while True:
            state = await self.engine.wait(run_id, timeout=LOOK)
            if state.ended:
                return [state]
            family = await self._family(state)
            now = [(one.id, one.sequence) for one in family]
            same = same + 1 if now == seen and not self._runner.in_flight else 0
            if same >= looks:
                return family
            seen = now
            if state.status == SUSPENDED:  # then `wait` has come back at once
                await asyncio.sleep(LOOK)

    async def _family(self, state: RunState) -> list[RunState]:
        record = await self.engine.storage.run(state.id)
        below = [] if record is None else await relatives(self.engine.storage, record)
        return [state, *[await self.engine.state(run_id) for run_id in below]]

    async def _speak(self, family: list[RunState]) -> bool:
        """Answer the first question, or send the first signal, that nobody has said anything to."""
        for state in family:
            for decision in state.decisions.values():
                if decision.id not in self._said:
                    self._said.add(decision.id)
                    agent = decision.target_agent_id or "local"
                    if await self._say(state, decision.step_id, await self._people.ask(decision), agent):
                        return True
            for step_id, signal in _signals(state):
                if f"{state.id} {step_id}" not in self._said:
                    self._said.add(f"{state.id} {step_id}")
                    if await self._say(state, step_id, await self._people.send(step_id, signal), "local"):
                        return True
        return False

    async def _say(self, state: RunState, step_id: str, answer: Answer | None, agent: str) -> bool:
        if answer is None:
            return False
        await self.engine.signal(state.id, answer.kind, answer.payload, step_id=step_id, agent_id=agent)
        return True

    def _skip(self, family: list[RunState]) -> bool:
        """To the earliest time at which a step goes on by itself; whether there is one."""
        times = [due for state in family for due in state.parked.values() if due is not None]
        if times:
            self._clock.skip_to(min(times) + 0.001)
        return bool(times)


class Script:
    """Answers that were written down: by a step's full id or its last part; a list is one answer after another.

    Args:
        answers: to decisions: a choice, a whole payload, or None to let the time run out.
        signals: payloads by the step that waits.
    """

    def __init__(self, answers: Mapping[str, Any], signals: Mapping[str, Any]) -> None:
        self._answers = {name: _turns(said) for name, said in answers.items()}
        self._signals = {name: _turns(said) for name, said in signals.items()}

    async def ask(self, decision: Decision) -> Answer | None:
        """The next answer for that step."""
        said = _next(self._answers, decision.step_id)
        if isinstance(said, str):
            said = {"choice": said}
        return None if said is None else Answer("decision", said)

    async def send(self, step_id: str, signal: str) -> Answer | None:  # noqa: ARG002 - as Listener says
        """The next payload for that step."""
        said = _next(self._signals, step_id)
        return None if said is None else Answer("data", said)


def _turns(said: Any) -> list[Any]:
    return list(said) if isinstance(said, list) else [said]


def _next(said: dict[str, list[Any]], step_id: str) -> Any:
    """The last one is said again and again."""
    turns = said.get(step_id) or said.get(step_id.rpartition(".")[2]) or [None]
    return turns.pop(0) if len(turns) > 1 else turns[0]


def _signals(state: RunState) -> list[tuple[str, str]]:
    """The steps that wait for a signal, and its name."""
    return [
        (step_id, step.waiting["signal"])
        for step_id, step in state.steps.items()
        if step.status == SUSPENDED and step.waiting is not None and step.waiting["for"] == "signal"
    ]


async def rehearse(
    one: Example,
    params: Mapping[str, Any],
    people: Listener,
    plugins: PluginManager,
    show: Callable[[Event], None],
) -> RunState:
    """Store its templates in memory, see a run of it through, and show the events of that run."""
    rehearsal = Rehearsal(MemoryStorage(), plugins, one.scenarios.get("secrets", {}), people)
    async with rehearsal.engine as ready:
        for name, source in one.children.items():
            await ready.define(name, source)
        schema = loads((one.folder / "input_schema.json").read_bytes())
        await ready.define(one.name, one.workflow, input_schema=schema)
        async with ready.hub.subscribe() as events:
            showing = asyncio.create_task(_show(events, show))
            # All of them, because an input that the schema declares and nobody gives would be null.
            state = await rehearsal.see(one.name, {**one.workflow.get("inputs", {}), **params})
            await asyncio.sleep(0.01)  # for the last events
            showing.cancel()
        return state


async def _show(events: AsyncIterator[Event], show: Callable[[Event], None]) -> None:
    async for event in events:
        show(event)
