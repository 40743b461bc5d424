"""A bench: an engine over a storage in memory, with the laboratory's actions and CEL.

After every test the bench checks every run that was begun on it: its log has no gap, holds nothing
but JSON, and folds to the very state that the live run had.
"""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import opcode_cel.plugin
from opcode_core import Engine, Event, OpcodeError, dumps, loads
from opcode_core.folding import fold
from opcode_core.memory import MemoryStorage
from opcode_core.plugins.manager import PluginManager
from opcode_core.state import RunState

sys.path.insert(0, str(Path(__file__).parent))

from engine_workbench import PATIENCE, Lab, LabClock, LabIds


class WatchedEngine(Engine):
    """Remembers the runs that it drove."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.driven: list[Any] = []
        launch = self.runs.launch

        def watched(run: Any) -> None:
            self.driven.append(run)
            launch(run)

        self.runs.launch = watched  # type: ignore[method-assign]


class Bench:
    def __init__(self, storage: Any = None, plugins: tuple = (), **options: Any) -> None:
        self.storage = storage or MemoryStorage()
        self.lab, self.clock, self.ids = Lab(), LabClock(), LabIds()
        manager = PluginManager(discover=False)
        manager.register(self.lab, "lab")
        manager.register(opcode_cel.plugin, "cel")
        for plugin in plugins:
            manager.register(plugin, type(plugin).__name__)
        self.engine = WatchedEngine(
            self.storage, manager, **{"clock": self.clock, "ids": self.ids, **options}
        )
        self.lab.stored_events = self.engine.log
        self.broken: set[str] = set()
        """Runs whose log the storage refused: there is nothing to compare."""

    async def run(self, definition: Any, params: dict | None = None, **options: Any) -> RunState:
        async with asyncio.timeout(PATIENCE * 3):
            return await self.engine.run(definition, params, **options)

    async def start(self, definition: Any, params: dict | None = None, **options: Any) -> str:
        return await self.engine.start(definition, params, **options)

    async def wait(self, run_id: str) -> RunState:
        async with asyncio.timeout(PATIENCE):
            return await self.engine.wait(run_id)

    async def finished(self, run_id: str) -> RunState:
        """The state of a run once it has ended, however often it is suspended before."""
        async with asyncio.timeout(PATIENCE):
            while not (state := await self.engine.wait(run_id)).ended:
                await asyncio.sleep(0)
            return state

    async def events(
        self, run: RunState | str, event_type: str | None = None, step_id: str | None = None
    ) -> list[Event]:
        log = await self.engine.log(run if isinstance(run, str) else run.id)
        return [e for e in log if event_type in (None, e.event_type) and step_id in (None, e.step_id)]

    async def story(self, run: RunState | str) -> list[str]:
        """The log as `event_type step_id`, without the run's own beginning and end."""
        return [
            f"{e.event_type} {e.step_id}"
            for e in await self.events(run)
            if not e.event_type.startswith("workflow_")
        ]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Come back when something holds, looking at each turn of the loop."""
        async with asyncio.timeout(PATIENCE):
            while not holds():
                await asyncio.sleep(0)

    async def settle(self) -> None:
        """Let everything go on that can go on."""
        for _ in range(20):
            await asyncio.sleep(0)

    def status(self, run_id: str, step_id: str) -> str | None:
        """How a step of a live run stands, or None when it has not begun."""
        run = next(run for run in self.engine.driven if run.state.id == run_id)
        return run.state.steps[step_id].status if step_id in run.state.steps else None

    async def check(self) -> None:
        for run in self.engine.driven:
            if run.state.id in self.broken:
                continue
            log = [*(await self._log(run.state.id)), *run.log.unstored]
            assert [event.sequence for event in log] == list(range(1, len(log) + 1))
            del log[run.state.sequence :]  # what a later object of the same run has added
            assert not (run.state.ended and run.log.unstored), "a run ended and its log is not stored"
            read_back = [Event(*loads(dumps([*event]))) for event in log]
            assert fold(run.state.id, read_back) == run.state

    async def _log(self, run_id: str) -> list[Event]:
        try:
            return await self.engine.log(run_id)
        except OpcodeError:
            return []


@pytest.fixture
async def make_bench() -> AsyncIterator[Callable[..., Any]]:
    """Makes benches with other storages, plugins or options of the engine; open and checked at the end."""
    before = asyncio.all_tasks()
    benches: list[Bench] = []
    complaints: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(str(context)))

    async def make(*args: Any, **options: Any) -> Bench:
        bench = Bench(*args, **options)
        benches.append(bench)
        await bench.engine.start_up()
        return bench

    yield make
    for bench in benches:
        bench.lab.release()
        await bench.engine.shut_down(grace=PATIENCE)
        await bench.check()
    left = [task.get_name() for task in asyncio.all_tasks() - before if task is not asyncio.current_task()]
    assert left == []
    gc.collect(1)
    assert complaints == []  # above all: no exception that nobody looked at


@pytest.fixture(scope="session")
def make_bench_now() -> Callable[..., Any]:
    """Makes a bench that nobody checks or closes but who asked for it."""

    async def make(**options: Any) -> Bench:
        bench = Bench(**options)
        await bench.engine.start_up()
        return bench

    return make


@pytest.fixture
async def bench(make_bench: Any) -> Bench:
    return await make_bench()
