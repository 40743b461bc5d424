"""Real processes on one database, killed at random moments: no time is fired twice, none is lost."""

import asyncio
import random
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from schedule_worker import EverySecond, engine_on

from opcode_core import RunFilter
from opcode_scheduler import firing, job, service
from opcode_scheduler.schedules import Schedules

WORKER = Path(__file__).with_name("schedule_worker.py")
KILLS = 14
SECONDS = 8.0
"""For which it goes on at least, also where processes start quickly: each second is a time that is due."""
CATCHING_UP = 40.0
"""Seconds in which a process that lives catches up with all that was missed, on a loaded machine."""
JOBS = {"quick": "all", "slow": "all", "lazy": "one"}


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    for module, name in ((job, "times_of"), (firing, "TAKEOVER"), (service, "TAKEOVER"), (service, "LOOK")):
        monkeypatch.setattr(module, name, getattr(module, name))


class Worker:
    def __init__(self, database):
        self.process = subprocess.Popen(
            [sys.executable, WORKER, database], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.timer = threading.Timer(30, self.process.kill)
        self.timer.start()

    def ready(self):
        assert self.process.stdout.readline() == "ready\n", self.process.stderr.read()

    def kill(self):
        self.process.kill()
        _, said = self.process.communicate()
        self.timer.cancel()
        assert "Traceback" not in said, said


async def made(database):
    async with engine_on(database, others=False) as engine:
        for name in ("quick", "slow"):
            await engine.define(name, {"steps": [{"id": "a", "action": f"worker.{name}"}]})
        schedules = Schedules(engine)
        for name, catchup in JOBS.items():
            template = "slow" if name == "slow" else "quick"
            wish = {"id": name, "template_name": template, "cron_expression": "* * * * *", "agent_id": "a"}
            await schedules.create({**wish, "catchup": catchup})
        return {found.id: found.next_run_at for found in await schedules.all()}


async def caught_up(database):
    """When all jobs have fired what was due, stop them; and give every job and every run."""
    async with engine_on(database, others=True) as engine:
        schedules, until = Schedules(engine), time.monotonic() + CATCHING_UP
        while True:
            jobs = await schedules.all()
            now = engine.clock.now()
            if all(one.next_run_at > now - 1 and one.claim is None for one in jobs):
                break
            assert time.monotonic() < until, [(one.id, one.next_run_at - now, one.goes_on) for one in jobs]
            await asyncio.sleep(0.02)
        ends = {
            one.id: (await schedules.edit(one.id, {"enabled": False}), one)[1].next_run_at for one in jobs
        }
        while any(one.claim or one.goes_on for one in await schedules.all()):
            assert time.monotonic() < until
            await asyncio.sleep(0.02)
        runs, cursor = [], None
        while True:
            page = await engine.storage.runs(RunFilter(), limit=500, cursor=cursor)
            runs.extend(page.items)
            cursor = page.cursor
            if cursor is None:
                return ends, runs


@pytest.mark.timeout(200)
@pytest.mark.parametrize("seed", [1])
def test_processes_are_killed_and_every_time_is_fired_once(tmp_path, seed):
    dice = random.Random(seed)
    database = str(tmp_path / "schedules.db")
    begins = asyncio.run(made(database))
    workers = [Worker(database), Worker(database)]
    try:
        until, kills = time.monotonic() + SECONDS, 0
        while kills < KILLS or time.monotonic() < until:
            kills += 1
            victim = workers.pop(0)
            victim.ready()
            time.sleep(dice.choice([0.0, 0.05, 0.2, 0.5]) * dice.random())  # when it dies is left to chance
            victim.kill()
            workers.append(Worker(database))
    finally:
        for worker in workers:
            worker.kill()
    ends, runs = asyncio.run(caught_up(database))
    assert {run.status for run in runs} == {"completed"}
    for name, catchup in JOBS.items():
        keys = [run.idempotency_key.split(":", 2) for run in runs]
        times = sorted(_seconds(key[2]) for key in keys if key[1] == name)
        assert len(times) == len(set(times)), f"{name}: a time is fired twice"
        if catchup == "all":
            wanted = set(range(int(begins[name]), int(ends[name])))
            assert wanted <= set(times), f"{name}: {sorted(wanted - set(times))} are lost"
            assert len(wanted) > 5
        else:
            assert len(times) > 1
            assert max(times) >= ends[name] - 1
        spans = sorted(
            (run.started_at, run.completed_at) for run in runs if run.idempotency_key.split(":")[1] == name
        )
        assert all(ended <= began + 0.001 for (_, ended), (began, _) in pairwise(spans)), f"{name} overlaps"


def _seconds(text):
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp())


def test_the_workers_times_are_as_those_of_cron():
    times = EverySecond()
    assert times.after(5.5) == 6
    assert times.last(3, 5.5) == 5
    assert times.first_of_newest(3, 5.5, 2) == 4
