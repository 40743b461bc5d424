"""The outside world: people and agents who start runs, wait for them and say things to them."""

import asyncio
import traceback
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from sim_author import SIGNALS
from sim_process import Died

from opcode_core import ErrorCode, OpcodeError
from opcode_core.state import SUSPENDED

if TYPE_CHECKING:
    from sim_history import History

FORKS = 2
"""Runs of one history that may be forked."""
Asked = Callable[[Any], Coroutine[Any, Any, Any]]
"""Something that is asked of an engine."""


class People:
    """What they are told must be so: it is checked in the moment in which they are told."""

    def __init__(self, world: "History") -> None:
        self.world = world
        self.random = world.chance_of("people")
        self.states = world.auditor.states
        self.keys: dict[str, str] = {}
        self.marks = self.forks = 0

    async def ask(self, work: Asked, name: str) -> Any:
        """What some engine answers, or the error that it gives; None when its process died."""
        machine = await self.world.machines.somebody()
        try:
            return await self.world.loop.call(machine, work(machine.engine), name)
        except Died:
            return None
        except OpcodeError as error:
            self.world.say("people", f"{name} on {machine}: {error}")
            if error.code is ErrorCode.STORE_ERROR and self.world.is_well() and not machine.engine.closing:
                self.world.violated(f"{name}: {error}, though the storage is well")
            return error
        except Exception as error:
            trace = "".join(traceback.format_exception(error))
            self.world.violated(f"{name} raises {error!r}\n{trace}")

    # ---- runs ---------------------------------------------------------------------------------

    async def starts(self, number: int) -> None:
        """Start a run, again until it is acknowledged, and perhaps wait for it."""
        random = self.world.chance_of(f"starter {number}")
        await asyncio.sleep(random.random() * 3)
        key = f"key-{number}" if random.random() < 0.4 else None
        plan, run_id = self.world.plans[number], None
        while run_id is None:
            params = {"n": random.randrange(5)}

            async def start(engine: Any, params: dict[str, int] = params) -> str:
                run_id = await engine.start(plan, params, idempotency_key=key)
                self.acknowledged_start(run_id, key)
                return run_id

            times = 2 if key is not None and random.random() < 0.5 else 1
            answers = await asyncio.gather(*(self.ask(start, "start") for _ in range(times)))
            run_id = next((answer for answer in answers if isinstance(answer, str)), None)
            await asyncio.sleep(random.random())
        self.world.say("people", f"started {run_id}")
        if random.random() < 0.7:
            timeout = random.choice((0.5, 5.0, 30.0))
            await self.ask(lambda engine: self.wait(engine, run_id, timeout), f"wait for {run_id}")

    def acknowledged_start(self, run_id: str, key: str | None) -> None:
        if run_id not in self.states:
            self.world.violated(f"start gave {run_id}, which is not stored")
        if key is not None and self.keys.setdefault(key, run_id) != run_id:
            self.world.violated(f"the key {key} gave {self.keys[key]} and {run_id}")

    async def wait(self, engine: Any, run_id: str, timeout: float) -> None:
        state, stored = await engine.wait(run_id, timeout), self.states[run_id]
        if state.ended and state.sequence > stored.sequence:
            self.world.violated(f"wait says that {run_id} is {state.status}; stored is {stored.status}")

    # ---- signals ------------------------------------------------------------------------------

    async def talk(self) -> None:
        """Say things to runs at any time, sensible ones and others."""
        while not self.world.calm:
            await asyncio.sleep(self.random.expovariate(0.5))
            if self.states and not self.world.calm:
                await self.say_something(self.random.choice(sorted(self.states)))

    async def say_something(self, run_id: str) -> None:
        random, state = self.random, self.states[run_id]
        kind = random.choice(("decision",) * 4 + ("data",) * 5 + ("cancel",) + ("retry", "skip") * 2)
        step_id = random.choice((None, None, random.choice([*sorted(state.steps), "nowhere"])))
        agent = random.choice(("boss", "local"))
        if self.forks < FORKS and state.steps and random.random() < 0.1:
            await self.fork(run_id, random.choice(sorted(state.steps)))
            return
        payload: dict[str, Any] = {}
        if kind == "decision":
            payload = random.choice(
                ({"choice": "yes"}, {"choice": "no", "data": {}}, {"choice": "?"}, {}, {"reject": "no!"})
            )
            if state.decisions and random.random() < 0.8:
                step_id = random.choice(sorted(d.step_id for d in state.decisions.values()))
        elif kind == "data":
            payload = random.choice(({"signal": SIGNALS[0]}, {"signal": SIGNALS[1], "x": 1}, {"y": 2}))
        elif kind == "cancel" and random.random() < 0.3:
            await self.ask(lambda engine: self.cancel(engine, run_id), f"cancel {run_id}")
            return
        for _ in range(random.choice((1, 1, 1, 2))):  # twice, as one who got no answer
            await self.signal(run_id, kind, payload, step_id, agent)

    async def fork(self, run_id: str, step_id: str) -> None:
        self.forks += 1
        self.world.say("people", f"fork {run_id} at {step_id}")

        async def work(engine: Any) -> str:
            new_id = await engine.fork(run_id, step_id)
            if new_id not in self.states:
                self.world.violated(f"fork gave {new_id}, which is not stored")
            return new_id

        result = await self.ask(work, f"fork of {run_id}")
        self.world.say("people", f"fork of {run_id} at {step_id} gave {result}")

    async def cancel(self, engine: Any, run_id: str) -> None:
        state, stored = await engine.cancel(run_id), self.states[run_id]
        if state.sequence > stored.sequence:
            self.world.violated(f"cancel of {run_id} gave {state.status}; stored is {stored.status}")

    async def signal(
        self,
        run_id: str,
        kind: str,
        payload: dict[str, Any],
        step_id: str | None = None,
        agent: str = "local",
    ) -> None:
        """Say it once, with a mark by which it is known in the log."""
        self.marks += 1
        mark = f"mark-{self.marks}"
        payload = {**payload, "mark": mark}
        self.world.say("people", f"signal {run_id} {kind} {step_id or ''} {payload} by {agent}")

        async def work(engine: Any) -> Any:
            state = await engine.signal(run_id, kind, payload, step_id=step_id, agent_id=agent)
            if not self.world.auditor.has_kept(run_id, mark):
                self.world.violated(
                    f"signal {kind} {mark} to {run_id} was acknowledged and is stored nowhere"
                )
            return state

        result = await self.ask(work, f"signal {kind} {mark}")
        refused = isinstance(result, OpcodeError) and not _is_unclear(result)
        if refused and self.world.auditor.is_in_log(run_id, mark):
            self.world.violated(f"signal {kind} {mark} was refused ({result}) and is in the log")

    async def answer(self, run_id: str) -> None:
        """Say whatever a suspended run waits for."""
        state = self.states[run_id]
        if state.status != SUSPENDED:
            return
        if state.held is not None:
            await self.signal(run_id, "retry", {})
            return
        for decision in list(state.decisions.values()):
            choice = decision.options[0]["id"] if decision.options else "something"
            payload = {"choice": choice, "data": {}, "decision_id": decision.id}
            agent = decision.target_agent_id or "local"
            await self.signal(run_id, "decision", payload, decision.step_id, agent)
        for step_id, step in list(state.steps.items()):
            waiting = step.waiting or {}
            if step.status == SUSPENDED and waiting.get("for") == "signal":
                await self.signal(run_id, "data", {"signal": waiting["signal"]}, step_id)
            elif step.status == SUSPENDED and waiting.get("for") == "operator":
                await self.signal(run_id, "retry", {}, step_id)


def _is_unclear(error: OpcodeError) -> bool:
    """Whether it may have been done nevertheless: the storage failed, or the run was taken over meanwhile."""
    return error.code is ErrorCode.STORE_ERROR or "fence" in error.details
