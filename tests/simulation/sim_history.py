"""One seed makes one history: processes that come and go, workflows, and people who speak to them."""

import asyncio
import logging
import math
import sys
import traceback
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from sim_author import Author
from sim_checks import Auditor
from sim_clock import SimulatedClock, SimulatedIds
from sim_ending import Ending
from sim_lab import Laboratory
from sim_loop import SimulatedLoop, Stuck
from sim_machines import Machine, Machines
from sim_people import People
from sim_process import PROCESS
from sim_settings import settings_of
from sim_storage import READING, SLOWEST, Faults

import opcode_cel.plugin
from opcode_core import Engine, OpcodeError, dumps, loads, overtime
from opcode_core.contracts.storage import Commit
from opcode_core.engine import deadline, plans, watch
from opcode_core.engine import log as log_of_run
from opcode_core.memory import MemoryStorage
from opcode_core.plan import Plan
from opcode_core.plugins.manager import PluginManager

LAB = Laboratory()
PLUGINS = PluginManager(discover=False)
PLUGINS.register(LAB, "simulated laboratory")
PLUGINS.register(opcode_cel.plugin, "cel")


class Violation(Exception):
    """Something that must always hold did not."""


class History:
    """Everything that happens under one seed; `play` lets it happen.

    Attributes:
        lines: what happened, to be told: when, who, what.
        steps: as they are defined, by the definition's hash and their own id.
        calm: the time of faults is over.
        over: all runs have ended.
    """

    plugins = PLUGINS

    def __init__(self, seed: int, settings: dict[str, Any] | None = None) -> None:
        self.seed = seed
        self.lines: list[tuple[float, str, str]] = []
        self.calm = self.over = False
        self.calm_since = self.last_commit = 0.0
        self.settings = {**settings_of(self.chance_of("settings")), **(settings or {})}
        self.loop = SimulatedLoop(self.chance_of("scheduler"), self.settings["order"])
        self.clock = SimulatedClock(self.loop)
        self.ids = SimulatedIds(self.chance_of("ids"))
        trouble = (self.settings[name] for name in ("slow", "before", "after"))
        self.faults = Faults(self.chance_of("faults"), *trouble)
        self.database = MemoryStorage()
        self.auditor = Auditor(self.database, self.violated)
        self.machines = Machines(self)
        self.people = People(self)
        self.ending = Ending(self)
        self.steps: dict[tuple[str, str], dict[str, Any]] = {}
        self.plans: list[Plan] = []
        self.poisoned: dict[str, int] = {}

    def chance_of(self, what: str) -> Random:
        """A source of chance of its own for each concern, so that one does not disturb the others."""
        return Random(f"{self.seed}:{what}")

    def play(self) -> None:
        """Let it happen.

        Raises:
            Violation: when something that must always hold did not.
        """
        with self.stage():
            try:
                self.loop.run_until_complete(self.main())
            except Stuck as stuck:
                raise Violation(f"{stuck}; {self.ending.standing()}") from None
            finally:
                for machine in self.machines.living():
                    self.loop.kill(machine)
                self.loop.throw_away()

    async def main(self) -> None:
        """Trouble, calm, the end."""
        await self.write_workflows()
        places = [
            self.loop.create_task(self.machines.place(name)) for name in "ABC"[: self.settings["machines"]]
        ]
        actors = [self.loop.create_task(actor) for actor in self.actors()]
        await asyncio.sleep(self.settings["chaos"])
        self.calm = self.faults.off = True
        self.calm_since = self.loop.time()
        self.say("---", "no more faults")
        self.machines.spare()
        for actor in actors:
            await actor
        await self.ending.settle()
        self.over = True
        for machine in self.machines.living():
            await self.machines.shut_down(machine)
        for place in places:
            await place
        self.ending.check()

    def actors(self) -> Iterator[Coroutine[Any, Any, None]]:
        yield from (self.people.starts(number) for number in range(self.settings["runs"]))
        yield from (self.people.talk() for _ in range(self.settings["people"]))
        if self.settings["jumps"]:
            yield self.set_clock()
        if self.settings["pauses"]:
            yield self.machines.pauses()

    async def set_clock(self) -> None:
        random = self.chance_of("clock")
        while True:
            await asyncio.sleep(random.expovariate(0.1))
            if self.calm:
                return
            seconds = random.choice((-30.0, -2.0, 0.5, 2.0, 20.0, 100.0))
            self.say("clock", f"is set by {seconds}")
            self.clock.jump(seconds)

    @contextmanager
    def stage(self) -> Iterator[None]:
        """The few things outside the engine's arguments that a history needs to be its own."""
        before = watch.is_dead, log_of_run.LONG, log_of_run.VERY_LONG, plans.SMALL, overtime.IN_PLACE
        plans.SMALL, overtime.IN_PLACE = sys.maxsize, math.inf  # no threads and processes in simulated time
        watch.is_dead = self.machines.is_dead
        log_of_run.LONG = self.settings["snapshots"]
        log_of_run.VERY_LONG = self.settings["snapshots"] * 4
        LAB.called, LAB.published, LAB.kills = self.called, self.auditor.published, self.kills
        log = logging.getLogger("opcode")
        set_up = log.propagate, log.level, log.handlers[:]
        log.propagate, log.handlers = False, [_Listener(self)]
        log.setLevel(logging.WARNING)
        try:
            yield
        finally:
            watch.is_dead, log_of_run.LONG, log_of_run.VERY_LONG, plans.SMALL, overtime.IN_PLACE = before
            log.propagate, log.handlers = set_up[0], set_up[2]
            log.setLevel(set_up[1])
            deadline._left_behind.clear()

    # ---- workflows ----------------------------------------------------------------------------

    async def write_workflows(self) -> None:
        """Templates for children first, then what is started."""
        writer = Engine(self.database, PLUGINS, clock=self.clock, ids=self.ids)
        random, children = self.chance_of("author"), ()
        for name in ("child-0", "child-1"):
            plan = await self.written(writer, Author(random, children), random.choice((1, 2, 3)))
            await writer.define(name, plan.source)
            children = (*children, name)
        for _ in range(self.settings["runs"]):
            size = random.randint(1, self.settings["size"])
            self.plans.append(
                await self.written(writer, Author(random, children, self.settings["poison"]), size)
            )

    async def written(self, engine: Engine, author: Author, size: int) -> Plan:
        """A workflow that is valid; most are at the first try."""
        while True:
            definition = author.workflow(size)
            try:
                plan = await engine.plan(definition)
            except OpcodeError:
                continue
            for step in _steps(definition):
                self.steps[plan.hash, step["id"]] = step
            self.say("author", dumps(definition).decode())
            return plan

    # ---- what is told -------------------------------------------------------------------------

    def say(self, who: Any, what: str) -> None:
        self.lines.append((self.loop.time(), str(who), what))

    def violated(self, what: str) -> None:
        """Something does not hold: that is the end."""
        self.say("!!!", what)
        if self.loop.broken is None:
            self.loop.broken = Violation(what)

    def is_well(self) -> bool:
        """Whether all faults, and what was slow because of them, are long past."""
        return self.calm and self.loop.time() > self.calm_since + SLOWEST * 2

    def wrote(self, machine: Machine, name: str, args: tuple[Any, ...], result: Any) -> None:
        """After a call of the storage that changed something."""
        if name == "commit":
            self.last_commit = self.loop.time()
            for commit in args[0]:
                self.say(machine, f"stores {self.told(commit)}")
        elif name == "claim":
            self.say(machine, f"claims {args[0]}, gets {[run.id for run in result]}")
        elif name != "beat":
            self.say(machine, f"{name} {args!r:.160}")
        try:
            self.auditor.wrote(machine, name, args, result)
        except Exception as error:  # the engine would take it for the storage's
            self.violated("".join(traceback.format_exception(error)))

    def told(self, commit: Commit) -> str:
        """A commit, shortly."""
        run, events = commit.run, commit.events
        steps = ", ".join(f"{e.event_type} {e.step_id}" if e.step_id else e.event_type for e in events)
        taken = f"; takes {list(commit.taken)}" if commit.taken else ""
        wakes = "" if run.wakes_at is None else f"; wakes at {run.wakes_at - self.clock.offset:.3f}"
        return f"{run.id} fence {run.fence} of {run.owner}, {run.status}: {steps}{taken}{wakes}"

    def failed(self, machine: Machine, name: str, when: str) -> None:
        """After a call of the storage that was made to fail."""
        self.say(machine, f"{name} fails {when} it is done" if name not in READING else f"{name} fails")

    def called(self, machine: Machine, ctx: Any, effect: str) -> None:
        """When an action is called."""
        self.say(machine, f"calls {ctx.run_id} {ctx.step_id}, attempt {ctx.attempt} ({effect})")
        self.auditor.called(machine, ctx, effect)

    def kills(self, _: Machine, ctx: Any, deaths: int) -> bool:
        """Whether a poisonous action kills: so many times, as long as there is trouble."""
        self.poisoned[ctx.run_id] = died = self.poisoned.get(ctx.run_id, 0) + 1
        return died <= deaths and not self.calm

    def record(self) -> bytes:
        """All that was stored, and how long it took: the same in every repetition."""
        logs = {run_id: [loads(body) for body in log] for run_id, log in self.auditor.bodies.items()}
        return dumps({"logs": logs, "steps": self.loop.steps, "time": self.loop.time()})


class _Listener(logging.Handler):
    """Hears what the engine logs: a run that breaks is never right."""

    def __init__(self, history: History) -> None:
        super().__init__(logging.WARNING)
        self.history = history

    def emit(self, record: logging.LogRecord) -> None:
        process, text = PROCESS.get(), record.getMessage()
        if process is not None and not process.alive:
            return
        self.history.say("log", f"{record.levelname} {text}")
        if record.exc_info:
            trace = "".join(traceback.format_exception(*record.exc_info))
            self.history.violated(f"{text}\n{trace}")
        elif record.levelno >= logging.ERROR and self.history.is_well():
            self.history.violated(f"though nothing fails, the log says: {text}")


def _steps(value: Any) -> Iterator[dict[str, Any]]:
    """Every step of a definition."""
    if isinstance(value, dict):
        if isinstance(value.get("id"), str):
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _steps(inner)
