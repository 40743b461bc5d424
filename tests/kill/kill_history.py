"""One database, the runs in it, and the deaths of the processes that drive them."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

from kill_calls import Attempts, called_twice, not_done, other_keys, read_ledger, wrong_calls
from kill_database import Left, is_locked, owned_by, read, unended, wrong_rows
from kill_process import Nursery, Process
from kill_promises import LONGEST, Outcome, left_over, lost, took_after, was_set_aside, wrong_outcomes
from kill_report import Report
from kill_tending import LOOK, Tender
from kill_workflows import STORIES
from worker import Life

from opcode_core import events as e
from opcode_sql.plugin import sqlite

MUCH, LONG = 40, 0.8
"""Lines in the ledger, or seconds, after which a worker is killed at the latest."""
BYTES_A_LINE = 85
TAKEOVER = 6.0
"""Seconds within which the runs of a dead worker are another's."""
TOO_LATE = 20.0
"""Seconds more that are waited for runs that should have ended, to see whether they ever do."""
LONGEST_HISTORY = 100.0


class History:
    """Lets workers live and die, and holds what they leave against what is promised.

    Attributes:
        tender: who starts the runs and gives them what they wait for.
        living: the workers that have not died.
        deaths: when which worker died, or was stopped.
        purged: runs that may have been deleted, because they had ended.
        shared: several workers live at once.
        violations: promises that were broken.
    """

    def __init__(self, seed: int, nursery: Nursery, folder: Path, outcomes: Mapping[str, Outcome]) -> None:
        self.chance = random.Random(seed)
        self.nursery = nursery
        self.folder = folder
        self.database = folder / "opcode.db"
        self.outcomes = outcomes
        self.report = Report(histories=1)
        self.living: list[Process] = []
        self.deaths: dict[int, float] = {}
        self.purged: set[str] = set()
        self.shared = False
        self.lease: float | None = None
        self.violations: list[str] = []
        self.restarted_at = 0.0
        self.tender = Tender(self.chance, self.living)
        self._linger = self.chance.choice([0.0, 0.1, 0.5])
        self.recovery = self.chance.choice(["resume", "resume", "resume", "suspend"])
        self._pool_size = self.chance.choice([2, 10, 10])
        self._names = self._shuffled()

    def _shuffled(self) -> Iterator[str]:
        while True:
            yield from self.chance.sample(sorted(STORIES), len(STORIES))

    async def play(self, plot: Callable[["History"], Awaitable[None]]) -> None:
        """Go through a plot, and tidy up after it."""
        tending = asyncio.create_task(self.tender.tend(), name="tend")
        acting = asyncio.ensure_future(plot(self))
        try:
            async with asyncio.timeout(LONGEST_HISTORY):
                await asyncio.wait({tending, acting}, return_when=asyncio.FIRST_COMPLETED)
            if not acting.done():
                tending.result()
            acting.result()
        finally:
            for task in (tending, acting):
                task.cancel()
            await asyncio.wait({tending, acting})
            for worker in self.living:
                worker.kill()
                await worker.death()
        said = (self.folder / "worker.log").read_text(errors="replace")
        if "Traceback" in said:
            self.violations.append(f"a worker broke: {said[said.index('Traceback') :][:3000]}")

    # ---- life ---------------------------------------------------------------------------------

    async def make_database(self) -> None:
        """Make an empty database, so that the first worker need not."""
        storage = sqlite(f"sqlite:///{self.database}")
        await storage.open()
        await storage.close()

    def want(self, count: int) -> None:
        """Let there be so many runs more, of stories that were not there yet if possible."""
        for _ in range(count):
            self.tender.want(next(self._names))

    async def spawn(self, die: str = "") -> Process:
        """Start a worker, which dies where it is told."""
        self.restarted_at = time.time()
        self.report.restarts += 1
        life = Life(str(self.folder), die, self._linger, self.lease, self.recovery, self._pool_size)
        worker = await self.nursery.bear(life)
        self.living.append(worker)
        return worker

    async def some_work(self, lines: int, worker: Process | None = None) -> None:
        """Wait until so many more lines are in the ledger, for a moment when nobody works, or until `worker` is dead."""
        wanted = self._worked() + lines * BYTES_A_LINE
        limit = time.time() + LONG
        while self._worked() < wanted and time.time() < limit and not (worker is not None and worker.is_dead):
            await asyncio.sleep(0.002)
        await asyncio.sleep(self.chance.uniform(0.0, 0.02))

    def _worked(self) -> int:
        ledger = self.folder / "ledger"
        return ledger.stat().st_size if ledger.exists() else 0

    # ---- death --------------------------------------------------------------------------------

    async def dies_at(self, place: str) -> None:
        """A worker that dies at a place such as `before:commit:7`, or later by our hand when it never comes there."""
        worker = await self.spawn(place)
        await worker.ready_or_dead()
        await self.some_work(MUCH, worker)
        await self.kill(worker, place)

    async def dies_at_random(self) -> None:
        """A worker that is killed after some work, or after a while when there is none for it."""
        worker = await self.spawn()
        await worker.ready_or_dead()
        await self.some_work(self.chance.randint(0, MUCH), worker)
        await self.kill(worker)

    async def dies_while_starting(self) -> None:
        """A worker that is killed before it says that it is ready, or soon after."""
        worker = await self.spawn()
        await asyncio.sleep(self.chance.uniform(0.0, 0.06))
        await self.kill(worker, how="while starting")

    async def dies_while_quitting(self) -> None:
        """A worker that is to quit, and is killed before it has."""
        worker = await self.spawn()
        await worker.ready_or_dead()
        await self.some_work(self.chance.randint(0, MUCH), worker)
        worker.let_quit()
        await asyncio.sleep(self.chance.uniform(0.0, 0.1))
        await self.kill(worker, how="while quitting")

    async def kill(self, worker: Process, place: str = "", how: str = "at random") -> None:
        """Kill a worker, unless it is dead at its `place` already, and look at what it left."""
        if place and worker.is_dead:
            how = place.rpartition(":")[0]
        worker.kill()
        if await worker.death() != -9 and how != "while quitting":
            self.violations.append(f"a worker ended by itself with {worker.status.result()}")
        self.living.remove(worker)
        self.deaths.setdefault(worker.pid, time.time())
        self.report.kills[how] += 1
        self.check(f"after death {self.report.kills.total()} ({how})")

    async def stop(self, worker: Process) -> None:
        """Let a worker stand still, but not while it keeps all others from writing."""
        worker.stop()
        while is_locked(self.database):
            worker.go_on()
            await asyncio.sleep(0.002)
            worker.stop()
        self.deaths.setdefault(worker.pid, time.time())
        self.report.kills["stopped"] += 1

    async def taken_over(self, victim: Process) -> None:
        """Wait until a dead worker owns nothing any more."""
        began = time.time()
        while owned := owned_by(self.database, victim.pid):
            if time.time() > began + TAKEOVER:
                self.violations.append(
                    f"{TAKEOVER:g} s after its death worker {victim.pid} still owns {owned}"
                )
                return
            await asyncio.sleep(LOOK)
        self.report.takeover = max(self.report.takeover, time.time() - began)

    # ---- what is left -------------------------------------------------------------------------

    def left(self) -> Left | None:
        """What is stored now."""
        return read(self.database, alive=bool(self.living))

    def check(self, when: str) -> Left | None:
        """Hold what is left against all that is true at any time. None when there is no such database yet."""
        calls = read_ledger(self.folder / "ledger")  # before the logs, which say more from moment to moment
        left = self.left()
        if left is None:
            return None
        attempts = Attempts(left.logs)
        there = [call for call in calls if call.run_id not in self.purged]
        repeats = {one.run_id for one in self.tender.wanted if one.story.repeats and one.run_id}
        found = [*wrong_rows(left), *lost(left, self.tender, self.purged), *called_twice(calls)]
        found += [*wrong_calls(there, attempts, self.deaths), *other_keys(calls, repeats)]
        found += not_done(read_ledger(self.folder / "ledger"), attempts)
        self.violations += [f"{when}: {what}" for what in found]
        self._note(left, len(calls))
        return left

    def _note(self, left: Left, calls: int) -> None:
        logs = left.logs.values()
        deaths = [
            event.timestamp for log in logs for event in log if event.event_type == e.WORKFLOW_INTERRUPTED
        ]
        self.report.calls, self.report.interruptions = calls, len(deaths)
        if not self.shared:
            took = [at - self.restarted_at for at in deaths]
            self.report.recovery = max(self.report.recovery, *took, 0.0)

    async def to_the_end(self) -> None:
        """Let the living workers bring everything to its end, in good time, and see how it ended."""
        began = max(self.restarted_at, *self.deaths.values(), 0.0)
        wanted = self.tender.wanted
        limit = began + LONGEST + max(one.story.longest for one in wanted) + TOO_LATE
        while time.time() < limit:
            await asyncio.sleep(LOOK)
            if all(one.run_id and not one.early for one in wanted) and unended(self.database) == 0:
                break
        while self.living:
            if (status := await self.living[-1].quit()) != 0:
                self.violations.append(f"a worker that was to quit ended with {status}")
            self.living.pop()
        left = self.check("at the end")
        assert left is not None
        broken = [*left_over(left), *wrong_outcomes(left, wanted, self.outcomes, began), *self.tender.refused]
        if not self.shared:  # else nobody need have looked for the dead since
            broken += [f"owner {owner} is left" for owner in left.owners]
        self.violations += [f"at the end: {what}" for what in broken]
        self._note_end(left, began)

    def _note_end(self, left: Left, began: float) -> None:
        self.report.runs = len(left.rows)
        self.report.set_aside = sum(was_set_aside(log) for log in left.logs.values())
        for one in self.tender.wanted:
            if (state := left.states.get(one.run_id or "")) is not None:
                self.report.end = max(self.report.end, took_after(state, one, began))
