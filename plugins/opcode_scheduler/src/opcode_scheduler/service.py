"""The service that waits for the next time and starts what is due."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import TypeVar

from opcode_core import Engine, OpcodeError
from opcode_core.hosting import RUN_ENDED
from opcode_scheduler.firing import SET_BACK, TAKEOVER, Firing, set_right
from opcode_scheduler.job import Job
from opcode_scheduler.schedules import Schedules
from opcode_scheduler.triggers import take_over_all

T = TypeVar("T")

LOOK = 60.0
"""Seconds after which all jobs are looked at again, whatever was to be expected: another process may have changed
them, or driven a run to its end."""
AGAIN = 5.0
"""Seconds after which a storage that failed is asked again."""
AT_ONCE = 16
"""Jobs that are tended at the same time."""
ENDS = frozenset({"workflow_completed", "workflow_failed", "workflow_cancelled"})

_log = logging.getLogger("opcode.scheduler")


class Scheduler:
    """Starts the runs of all jobs, as long as its engine goes on with whatever there is.

    Several processes on one storage may each have one: a time is fired by whoever claims it first.
    """

    name = "scheduler"

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.firing = Firing(engine)
        self.schedules = Schedules(engine, self.look)
        self._again = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._watched: dict[str, str] = {}  # runs that go on here, and their jobs
        self._watching = asyncio.Event()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._latest = self._wakes_at = float("inf")

    async def start(self) -> None:
        """Begin, unless the engine belongs to a single command."""
        if self.engine.others:
            self._spawn(self._serve())
            self._spawn(self._watch())

    async def stop(self) -> None:
        """Start nothing more."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def look(self) -> None:
        """Something has changed: look at all jobs now."""
        self._again.set()

    async def _serve(self) -> None:
        await self._attempt(take_over_all(self.engine))
        while True:
            self._again.clear()
            found = await self._attempt(self._round())
            self._wakes_at = self.engine.clock.now() + AGAIN if found is None else found
            await self._until(self._wakes_at)

    async def _round(self) -> float:
        """Look at all jobs, tend those that need it, and give when to look again."""
        now = self.engine.clock.now()
        was_set_back, self._latest = now < self._latest - SET_BACK, now
        wakes_at, needing = now + LOOK, []
        async for job in self.firing.shelf.all():
            if was_set_back:
                await self._set_right(job, now)
            if job.claim is not None or job.goes_on or _is_due(job, now):
                needing.append(job.id)
            elif job.next_run_at is not None:
                wakes_at = min(wakes_at, job.next_run_at)
        return min([wakes_at, *await asyncio.gather(*(self._tend(job_id) for job_id in needing))])

    async def _tend(self, job_id: str) -> float:
        """Do all that can be done for a job now, and give when to look again."""
        async with self._places:
            while True:
                now = self.engine.clock.now()
                job = await self._attempt(self.firing.tend(job_id))
                if job is None:
                    return now + AGAIN
                if job.claim is not None:
                    return job.claim.at + TAKEOVER
                if job.goes_on and await self._goes_on(job.goes_on, job_id):
                    is_held_up = job.next_run_at is None or job.next_run_at <= now
                    return now + LOOK if is_held_up or job.next_run_at is None else job.next_run_at
                if not job.goes_on and not _is_due(job, now):
                    return now + LOOK if job.next_run_at is None else job.next_run_at

    async def _goes_on(self, run_id: str, job_id: str) -> bool:
        """Watch a run until its end; whether that has not come already."""
        self._watched[run_id] = job_id
        self._watching.set()
        record = await self._attempt(self.engine.storage.run(run_id))
        if record is not None and record.status not in RUN_ENDED:
            return True
        self._watched.pop(run_id, None)
        return False

    async def _set_right(self, job: Job, now: float) -> None:
        if set_right(job, now) != job:
            _log.warning("schedule %s: its next time is reckoned anew, for the clock was set back", job.id)
            await self.firing.shelf.change(job.id, lambda stored: set_right(stored, now), now)

    async def _watch(self) -> None:
        """Tend a job as soon as its run has ended, which may hold up its next one."""
        while True:
            await self._watching.wait()
            async with self.engine.hub.subscribe() as events:
                for run_id, job_id in list(self._watched.items()):  # it may have ended before
                    self._spawn(self._look_after(run_id, job_id))
                async for event in events:
                    ended = self._watched.get(event.workflow_id) if event.event_type in ENDS else None
                    if ended is not None:
                        self._spawn(self._look_after(event.workflow_id, ended))
                    if not self._watched:
                        break
            if not self._watched:
                self._watching.clear()

    async def _look_after(self, run_id: str, job_id: str) -> None:
        if not await self._goes_on(run_id, job_id) and await self._tend(job_id) < self._wakes_at:
            self.look()

    async def _until(self, when: float) -> None:
        """Come back then, or when something has changed."""
        again = asyncio.create_task(self._again.wait())
        sleep = asyncio.ensure_future(self.engine.clock.sleep_until(when))
        try:
            await asyncio.wait({again, sleep}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            again.cancel()
            sleep.cancel()

    async def _attempt(self, work: Awaitable[T]) -> T | None:
        """What it gives, or None when it could not be done now; no job stops the others."""
        try:
            return await work
        except OpcodeError as error:
            if not self.engine.closing:
                _log.error("a schedule has to wait: %s", error)
        except ValueError as error:  # an expression or a zone that is known no more
            _log.error("a schedule is left out: %s", error)
        except Exception:
            _log.exception("a schedule is left out; this is a bug")
        return None

    def _spawn(self, work: "Awaitable[None]") -> None:
        task = asyncio.ensure_future(work)
        task.set_name(self.name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _is_due(job: Job, now: float) -> bool:
    return job.enabled and job.next_run_at is not None and job.next_run_at <= now
