"""A job: what is to run, when, for whom, and how far it is."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from opcode_core.hosting import RUN_ENDED, iso
from opcode_scheduler.times import Times, times_of

SHELF = "schedules"
MOST_RECENT = 20
"""Runs of a job that it remembers."""

GONE = "deleted"
"""The status of a run that was deleted before its end was seen."""

ONE, ALL, NONE = CATCHUP = ("one", "all", "none")
"""What becomes of times that were missed: one run for all of them, one for each, none."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that is being started; whoever finds it starts the same one, for the key is the same.

    Attributes:
        key: the idempotency key of the run.
        time: that it is for, None when somebody asked for it.
        agent_id: whose run it is, for keys are an agent's own.
        by: the process that began.
        at: when.
    """

    key: str
    time: float | None
    agent_id: str
    by: str
    at: float


@dataclass(frozen=True, slots=True)
class Past:
    """A run that was started, or why it could not be."""

    time: float | None
    started_at: float
    run_id: str | None
    status: str
    error: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing of it goes on."""
        return self.run_id is None or self.status in RUN_ENDED or self.status == GONE


@dataclass(frozen=True, slots=True)
class Job:
    """One schedule; times are seconds since the epoch.

    Attributes:
        template_version: as `v2`; None for the newest at each time.
        next_run_at: the earliest time that is not dealt with; None while it is disabled.
        trigger: its name in the template's `triggers.cron` when it comes from there, and then
            `trigger_version`: the version that it was last taken from.
        claim: what is being started.
        recent: its last runs, the newest first.
    """

    id: str
    template_name: str
    cron_expression: str
    agent_id: str
    created_at: float
    template_version: str | None = None
    params: Mapping[str, Any] | None = None
    enabled: bool = True
    timezone: str = "UTC"
    catchup: str = ONE
    next_run_at: float | None = None
    trigger: str | None = None
    trigger_version: int = 0
    claim: Claim | None = None
    recent: tuple[Past, ...] = ()

    @property
    def times(self) -> Times:
        """When."""
        return times_of(self.cron_expression, self.timezone)

    @property
    def last(self) -> Past | None:
        """Its last run."""
        return self.recent[0] if self.recent else None

    @property
    def goes_on(self) -> str | None:
        """The id of its last run, when that had not ended when it was last looked at."""
        last = self.last
        return None if last is None or last.ended else last.run_id

    def rescheduled(self, now: float) -> "Job":
        """The same from now on: what was due before is forgotten."""
        return replace(self, next_run_at=self.times.after(now) if self.enabled else None)

    def with_past(self, past: Past) -> "Job":
        """The same after one more run."""
        return replace(self, claim=None, recent=(past, *self.recent)[:MOST_RECENT])

    def with_status(self, statuses: Mapping[str, str]) -> "Job":
        """The same, its runs standing as `statuses` say by their ids."""
        if all(statuses.get(past.run_id or "", past.status) == past.status for past in self.recent):
            return self
        recent = (replace(past, status=statuses.get(past.run_id or "", past.status)) for past in self.recent)
        return replace(self, recent=tuple(recent))

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)


_KNOWN = {field.name for field in fields(Job)}


def read_job(value: Mapping[str, Any]) -> Job:
    """What `to_json` gave."""
    kept = {name: item for name, item in value.items() if name in _KNOWN}
    claim = kept.get("claim")
    kept["claim"] = Claim(**claim) if claim else None
    kept["recent"] = tuple(Past(**past) for past in kept.get("recent", ()))
    return Job(**kept)


def job_answer(job: Job, now: float) -> dict[str, Any]:
    """What callers are told."""
    last = job.last
    held_up = job.goes_on if job.next_run_at is not None and job.next_run_at <= now else None
    return {
        "id": job.id,
        "template_name": job.template_name,
        "template_version": job.template_version,
        "cron_expression": job.cron_expression,
        "timezone": job.timezone,
        "params": dict(job.params or {}),
        "agent_id": job.agent_id,
        "enabled": job.enabled,
        "catchup": job.catchup,
        "last_run_at": iso(last.started_at) if last else None,
        "last_run_id": last.run_id if last else None,
        "last_run_status": last.status if last else None,
        "last_error": last.error if last else None,
        "next_run_at": iso(job.next_run_at),
        "waits_for": held_up,
        "trigger": job.trigger,
        "created_at": iso(job.created_at),
    }


def past_answer(past: Past) -> dict[str, Any]:
    """One run of a job; `time` is null when somebody asked for it."""
    return {
        "time": iso(past.time),
        "started_at": iso(past.started_at),
        "workflow_id": past.run_id,
        "status": past.status,
        "error": past.error,
    }
