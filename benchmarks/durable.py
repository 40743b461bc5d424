"""What durability costs: many writers, many waiting runs, many crashed ones."""

import asyncio
import gc
import tempfile
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from cases import Case, bench_plugins, chain, parallel

from opcode_core import Commit, Engine, Event, Storage
from opcode_core.engine.log import record_of
from opcode_core.folding import fold

CALLERS = 100
CRASHED = 10_000
WAITING = 10_000


@asynccontextmanager
async def storage_at(durability: str) -> AsyncIterator[Storage]:
    """A new SQLite file, open."""
    plugins = bench_plugins()
    with tempfile.TemporaryDirectory() as folder:
        storage = plugins.registry().storages["sqlite"](
            f"sqlite:///{folder}/bench.db?durability={durability}"
        )
        await storage.open()
        yield storage
        await storage.close()


def many_callers(durability: str) -> Case:
    """2,000 runs of ten pure steps by 100 callers, each of which waits for its run before the next."""

    async def once() -> float:
        async with storage_at(durability) as storage, Engine(storage, bench_plugins()) as ready:
            plan = await ready.plan(parallel(10))

            async def caller() -> None:
                for _ in range(20):
                    await ready.run(plan)

            began = time.perf_counter()
            await asyncio.gather(*(caller() for _ in range(CALLERS)))
            return time.perf_counter() - began

    return f"2000 runs of 10 steps, {CALLERS} callers, sqlite {durability}", 3, once


def many_writers(durability: str) -> Case:
    """40,000 events by 100 writers in commits of ten, as many to a transaction as come together."""

    async def once() -> float:
        from opcode_core.engine.journal import Journal

        async with storage_at(durability) as storage:
            journal = Journal(storage, lambda _: None)

            async def writer(number: int) -> None:
                log = _log(f"run-{number}", 400)
                for at in range(0, 400, 10):
                    row = replace(record_of(fold(log[0].workflow_id, log[:1])), sequence=at + 10)
                    await journal.commit(Commit(row, log[at : at + 10]))

            began = time.perf_counter()
            await asyncio.gather(*(writer(number) for number in range(CALLERS)))
            return time.perf_counter() - began

    return f"40000 events stored, {CALLERS} writers, sqlite {durability}", 3, once


def _log(run_id: str, count: int) -> list[Event]:
    payload: dict[str, Any] = {"format": 1, "definition": "x", "context": {}, "inputs": {}}
    first = Event(run_id, 1, "workflow_started", None, payload, "local", 1.0)
    return [
        first,
        *(
            Event(run_id, n, "step_completed", f"s{n}", {"output": {"value": n}}, "local", 1.0)
            for n in range(2, count + 1)
        ),
    ]


def fold_from_disk() -> Case:
    """The state of a run of about 1,000 events, read from its log."""
    prepared: dict[str, Any] = {}

    async def once() -> float:
        if not prepared:
            prepared["context"] = storage_at("normal")
            storage = await prepared["context"].__aenter__()
            prepared["engine"] = ready = Engine(storage, bench_plugins(), linger=0)
            await ready.start_up()
            prepared["run"] = (await ready.run(parallel(498))).id
        began = time.perf_counter()
        state = await prepared["engine"].state(prepared["run"])
        took = time.perf_counter() - began
        assert state.sequence == 998
        return took

    return "fold of 1000 events from disk", 50, once


def crashed_runs() -> Case:
    """10,000 runs whose process died in their second step: from the start of the next one to the last end."""

    async def once() -> float:
        async with storage_at("normal") as storage:
            await _leave_crashed(storage)
            ready = Engine(storage, bench_plugins())
            began = time.perf_counter()
            await ready.start_up()
            for number in range(CRASHED):
                assert (await ready.runs.wait(f"run-{number}")).status == "completed"
            took = time.perf_counter() - began
            await ready.shut_down()
            return took

    return f"{CRASHED} crashed runs resumed and ended", 1, once


async def _leave_crashed(storage: Storage) -> None:
    plan = await Engine(storage, bench_plugins()).plan(chain(3))
    for first in range(0, CRASHED, 500):
        commits = []
        for number in range(first, first + 500):
            log = _crashed(f"run-{number}", plan.hash)
            row = record_of(fold(log[0].workflow_id, log), "a dead process")
            commits.append(Commit(row, log, plan.source))
        await storage.commit(commits)


def _crashed(run_id: str, definition: str) -> list[Event]:
    begin = {"format": 1, "definition": definition, "context": {}, "inputs": {}}
    facts: list[tuple[str, str | None, dict[str, Any]]] = [
        ("workflow_started", None, begin),
        ("step_started", "s0", {}),
        ("step_completed", "s0", {"output": {"value": 0}}),
        ("step_started", "s1", {}),
    ]
    return [Event(run_id, n, *fact, "local", time.time()) for n, fact in enumerate(facts, 1)]


def waiting_runs() -> Case:
    """10,000 runs that wait for a signal: what is printed is bytes of memory for each, not time."""

    async def once() -> float:
        async with storage_at("normal") as storage, Engine(storage, bench_plugins(), linger=0) as ready:
            plan = await ready.plan({"steps": [{"id": "w", "type": "wait", "config": {"signal": "go"}}]})
            await ready.run(plan)
            gc.collect()
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(WAITING // 100):
                await asyncio.gather(*(ready.run(plan) for _ in range(100)))
            while ready.runs.live:  # noqa: ASYNC110 - the last ones come to rest
                await asyncio.sleep(0.01)
            gc.collect()
            kept = tracemalloc.get_traced_memory()[0] - before
            tracemalloc.stop()
            return max(kept, 0) / WAITING / 1e6  # shown as microseconds, so a byte is shown as one

    return f"bytes of memory for a waiting run, of {WAITING}", 1, once
