"""A scheduler on a clock that only a test moves."""

import asyncio
from contextlib import asynccontextmanager

from opcode_core import Engine, RunFilter, action
from opcode_core.memory import MemoryStorage
from opcode_core.plugins.manager import PluginManager
from opcode_scheduler import plugin
from opcode_scheduler.firing import Firing
from opcode_scheduler.schedules import Schedules

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z, a Thursday
DONE = {"steps": [{"id": "a", "action": "lab.done"}]}
ASK = {
    "steps": [
        {"id": "ask", "type": "reasoning", "config": {"prompt_context": "?", "options": [{"id": "yes"}]}},
    ]
}


@action("lab.done", effect="pure")
def done() -> str:
    """Do nothing."""
    return "done"


class Actions:
    """The lab's actions as a plugin."""

    from opcode_core import hookimpl

    @hookimpl
    def opcode_actions(self):
        return [done]


class HeldClock:
    def __init__(self, time=START):
        self.time = time
        self.sleepers = []

    def now(self):
        return self.time

    monotonic = now

    async def sleep(self, seconds):
        await self.sleep_until(self.time + seconds)

    async def sleep_until(self, when):
        if when > self.time:
            woken = asyncio.get_running_loop().create_future()
            self.sleepers.append((when, woken))
            await woken

    def advance(self, seconds):
        self.time += seconds
        for when, woken in self.sleepers:
            if when <= self.time and not woken.done():
                woken.set_result(None)
        self.sleepers = [(when, woken) for when, woken in self.sleepers if not woken.done()]


def engine_on(storage, clock, owner="one", others=False):
    manager = PluginManager(discover=False)
    manager.register(plugin, "scheduler")
    manager.register(Actions(), "lab")
    return Engine(storage, manager, clock=clock, others=others, owner=owner, linger=0.0)


class Lab:
    def __init__(self, engine):
        self.engine = engine
        self.clock = engine.clock
        self.storage = engine.storage
        self.firing = Firing(engine)
        self.schedules = Schedules(engine)

    async def job(self, cron="* * * * *", template="done", **fields):
        wish = {"template_name": template, "cron_expression": cron, "agent_id": "ada", "id": "j"}
        return await self.schedules.create({**wish, **fields})

    async def tend(self, times=1):
        """As the service does while something is due; each run has ended before the next look."""
        for _ in range(times):
            job = await self.firing.tend("j")
            if job.goes_on:
                await self.engine.wait(job.goes_on)
        return await self.schedules.one("j")

    async def times(self):
        return await times_of_runs(self.storage)


async def times_of_runs(storage):
    """What each run was for, by its key, the earliest first."""
    found = []
    page = await storage.runs(RunFilter(), limit=1000)
    assert page.cursor is None
    for run in page.items:
        found.append(run.idempotency_key.split(":", 2)[2])
    return sorted(found)


@asynccontextmanager
async def lab(storage=None, clock=None, **options):
    engine = engine_on(storage or MemoryStorage(), clock or HeldClock(), **options)
    async with engine:
        if await engine.storage.template("done") is None:
            await engine.define("done", DONE)
            await engine.define("ask", ASK)
        yield Lab(engine)


async def until(true, seconds=10.0):
    """Come back as soon as it is."""
    async with asyncio.timeout(seconds):
        while not await true():
            await asyncio.sleep(0.001)
