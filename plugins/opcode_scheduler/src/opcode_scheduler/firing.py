"""How a job's run is started so that no time is fired twice and none is lost, whoever dies when.

First the claim is stored, under compare-and-swap: which time, under which key. Then the run is started under that
key, which gives the same run to whoever asks for it again. Then the run is noted in place of the claim. Whoever
finds a claim that nobody carried out, because its process died or was slow, carries it out.
"""

import logging
from dataclasses import replace
from datetime import UTC, datetime

from opcode_core import Engine, ErrorCode, OpcodeError
from opcode_scheduler.job import ALL, NONE, Claim, Job, Past
from opcode_scheduler.shelf import Shelf

LATE = 60.0
"""Seconds after which a time counts as missed."""
MOST_MISSED = 100
"""Missed times for which `all` has a run each; of more, these are the newest."""
SOON = 120.0
"""Seconds for which the end of a run is only in the run itself, where the next claim notes it."""
TAKEOVER = 5.0
"""Seconds after which another process carries out a claim."""
SET_BACK = 3 * 3600.0
"""Seconds by which a clock has to be set back before times that were dealt with come again."""

_log = logging.getLogger("opcode.scheduler")


class Firing:
    """Starts what is due."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.shelf = Shelf(engine.storage)

    async def tend(self, job_id: str) -> Job | None:
        """Do for a job what is to be done now, one run at most, and give it as it is then.

        Raises:
            OpcodeError: STORE_ERROR, or that the engine is shutting down; to be tried again.
        """
        while True:
            found = await self.shelf.find(job_id)
            if found is None:
                return None
            job, now = found[0], self.engine.clock.now()
            if job.claim is not None:
                return job if self._is_others(job.claim, now) else await self._carry_out(job, job.claim)
            job = await self.shelf.seen(job)
            if job.enabled and job.next_run_at is not None and job.next_run_at <= now and not job.goes_on:
                job = self._claimed(job, now)
            if job.next_run_at == found[0].next_run_at and not _is_to_be_noted(job, found[0], now):
                return job
            if await self.shelf.replace(job, found[1], now):
                return job if job.claim is None else await self._carry_out(job, job.claim)
            # another process was first, or somebody changed it

    async def run_now(self, job_id: str, by: str) -> Job | None:
        """Start a run because somebody wants one.

        Raises:
            OpcodeError: CONFLICT while the last run goes on; what `start` of an engine raises.
        """
        found = await self.shelf.find(job_id)
        if found is None:
            return None
        job, version = await self.shelf.seen(found[0]), found[1]
        if job.goes_on or job.claim:
            raise OpcodeError(
                ErrorCode.CONFLICT,
                f"schedule '{job_id}': its last run {job.goes_on or 'is being started and'} goes on;"
                " it never overlaps itself",
                details={"workflow_id": job.goes_on},
            )
        claim = self._claim(job, None, f"schedule:{job.id}:{by}:{self.engine.ids.new()}")
        if not await self.shelf.replace(replace(job, claim=claim), version, claim.at):
            raise OpcodeError(ErrorCode.CONFLICT, f"schedule '{job_id}' has just changed; try again")
        return await self._carry_out(job, claim)

    def _claimed(self, job: Job, now: float) -> Job:
        """The same with a claim for a time that is due, or past those that are left out."""
        time = self._time(job, now)
        if time is None:
            return job.rescheduled(now)
        claim = self._claim(job, time, f"schedule:{job.id}:{_iso(time)}")
        return replace(job, claim=claim, next_run_at=job.times.after(time))

    def _time(self, job: Job, now: float) -> float | None:
        """The time that a run is for now, or None when all that were missed are to be left out."""
        due = now if job.next_run_at is None else job.next_run_at
        if job.catchup == ALL:
            return job.times.first_of_newest(due, now, MOST_MISSED)
        time = job.times.last(due, now)
        is_late = time is None or time < now - LATE
        if time is None or time > due or is_late:
            _log.warning(
                "schedule %s: the time %s was missed (catchup is '%s')", job.id, _iso(due), job.catchup
            )
        return None if job.catchup == NONE and is_late else time

    def _claim(self, job: Job, time: float | None, key: str) -> Claim:
        return Claim(key, time, job.agent_id, self.engine.owner, self.engine.clock.now())

    def _is_others(self, claim: Claim, now: float) -> bool:
        return claim.by != self.engine.owner and claim.at <= now < claim.at + TAKEOVER

    async def _carry_out(self, job: Job, claim: Claim) -> Job | None:
        """Start the run that was claimed, and note it."""
        past = await self._started(job, claim)

        def noted(stored: Job) -> Job:
            return stored if stored.claim is None or stored.claim.key != claim.key else stored.with_past(past)

        return await self.shelf.change(job.id, noted, self.engine.clock.now())

    async def _started(self, job: Job, claim: Claim) -> Past:
        try:
            run_id = await self.engine.start(
                job.template_name,
                job.params,
                version=job.template_version,
                agent_id=claim.agent_id,
                idempotency_key=claim.key,
            )
        except OpcodeError as error:
            if error.code is ErrorCode.STORE_ERROR or self.engine.closing:
                raise
            _log.error("schedule %s: its run cannot be started: %s", job.id, error)
            return Past(claim.time, claim.at, None, "failed", str(error))
        _log.info("schedule %s: run %s is started", job.id, run_id, extra={"workflow_id": run_id})
        return Past(claim.time, claim.at, run_id, "active")


def set_right(job: Job, now: float) -> Job:
    """The same, unless its next time was reckoned by a clock that was far ahead; then reckoned anew."""
    if job.next_run_at is None or job.next_run_at <= now + SET_BACK:
        return job
    earlier = job.times.after(now + SET_BACK)
    return job.rescheduled(now) if earlier is not None and earlier < job.next_run_at else job


def _is_to_be_noted(job: Job, stored: Job, now: float) -> bool:
    """Whether a change is worth a write: how its runs ended is written with its next claim, if that is soon."""
    is_soon = job.next_run_at is not None and job.next_run_at <= now + SOON
    return job.claim is not None or (job != stored and not is_soon)


def _iso(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
