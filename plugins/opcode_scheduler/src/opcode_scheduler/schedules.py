"""What may be done with jobs: by people on the panel and the command line, by programs over REST."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from secrets import token_hex
from typing import Any

from opcode_core import Engine, ErrorCode, OpcodeError
from opcode_core.hosting import checked_params
from opcode_scheduler.firing import Firing
from opcode_scheduler.job import Job
from opcode_scheduler.shelf import Shelf
from opcode_scheduler.wishes import OURS, checked, unknown

MOST_TIMES = 1000
NEEDED = ("template_name", "cron_expression", "agent_id")


class Schedules:
    """The jobs of an engine's storage.

    Args:
        engine: knows the templates, and starts what is to run now.
        changed: told whenever a job has changed.
    """

    def __init__(self, engine: Engine, changed: Callable[[], None] = lambda: None) -> None:
        self.engine = engine
        self.shelf = Shelf(engine.storage)
        self._changed = changed

    async def all(self) -> list[Job]:
        """Every job, those that run next first, each with its last run as it stands."""
        jobs = [await self.shelf.seen(job) async for job in self.shelf.all()]
        return sorted(jobs, key=lambda job: (job.next_run_at or float("inf"), job.id))

    async def next_ones(self, count: int) -> list[Job]:
        """The jobs that run next."""
        jobs = [job async for job in self.shelf.all() if job.next_run_at is not None]
        return sorted(jobs, key=lambda job: job.next_run_at or 0.0)[:count]

    async def one(self, job_id: str) -> Job:
        """A job with its runs as they stand.

        Raises:
            OpcodeError: NOT_FOUND, with the nearest id.
        """
        found = await self.shelf.find(job_id)
        if found is None:
            raise unknown(job_id, [job.id async for job in self.shelf.all()])
        return await self.shelf.seen(found[0])

    async def create(self, wish: Mapping[str, Any]) -> Job:
        """A new job.

        Args:
            wish: `template_name`, `cron_expression`, `agent_id`; also `id`, `template_version`, `params`,
                `timezone`, `catchup`, `enabled`.

        Raises:
            OpcodeError: VALIDATION_ERROR, NOT_FOUND for the template, CONFLICT for an id that is taken.
        """
        given = checked(wish, NEEDED)
        now = self.engine.clock.now()
        job_id = given.pop("id", None) or token_hex(4)
        if job_id.startswith(OURS):
            raise _wrong("id", f"ids that begin with '{OURS}' are those of triggers")
        version = given.pop("template_version", None)
        job = Job(id=job_id, created_at=now, template_version=_version(version), **given)
        await self._check(job)
        stored = await self.shelf.add(job.rescheduled(now), now)
        self._changed()
        return stored

    async def edit(self, job_id: str, wish: Mapping[str, Any]) -> Job:
        """Change what is given; times that were missed are forgotten when it runs at other times from now on.

        Raises:
            OpcodeError: VALIDATION_ERROR, NOT_FOUND, CONFLICT.
        """
        given = checked(wish)
        if "template_version" in given:
            given["template_version"] = _version(given["template_version"])
        if given.pop("id", job_id) != job_id:
            raise _wrong("id", "a schedule keeps its id")
        before = await self.one(job_id)
        if before.trigger is not None and (set(given) - {"enabled"}):
            raise _of_a_trigger(before, "changed")
        await self._check(replace(before, **given))
        now = self.engine.clock.now()

        def edited(job: Job) -> Job:
            after = replace(job, **given)
            same = (after.cron_expression, after.timezone, after.enabled) == (
                job.cron_expression,
                job.timezone,
                job.enabled,
            )
            return after if same else after.rescheduled(now)

        return await self._change(job_id, edited)

    async def remove(self, job_id: str) -> None:
        """Delete a job; its runs stay.

        Raises:
            OpcodeError: NOT_FOUND; CONFLICT when it comes from a template's triggers.
        """
        job = await self.one(job_id)
        if job.trigger is not None:
            raise _of_a_trigger(job, "deleted")
        await self.shelf.remove(job_id)
        self._changed()

    async def run_now(self, job_id: str) -> str:
        """Start a run of a job now, and give its id; its times stay as they are.

        Raises:
            OpcodeError: NOT_FOUND; CONFLICT while its last run goes on; why the run cannot be started.
        """
        await self.one(job_id)
        job = await Firing(self.engine).run_now(job_id, "now")
        self._changed()
        last = job.last if job is not None else None
        if last is None or last.run_id is None:
            raise OpcodeError(
                ErrorCode.EXECUTION_ERROR,
                last.error if last is not None and last.error else f"schedule '{job_id}' was deleted",
            )
        return last.run_id

    async def settle(self, job_id: str) -> None:
        """Note how a job's runs stand."""
        found = await self.shelf.find(job_id)
        if found is not None:
            seen = await self.shelf.seen(found[0])
            if seen != found[0]:
                await self.shelf.replace(seen, found[1], self.engine.clock.now())

    def next_times(self, job: Job, count: int = 10) -> list[int]:
        """When it runs next, whether or not it is enabled, in seconds since the epoch."""
        return job.times.following(self.engine.clock.now(), min(count, MOST_TIMES))

    async def _check(self, job: Job) -> None:
        """That its template is there, and takes its params."""
        template = await self.engine.template(job.template_name, job.template_version)
        checked_params(dict(job.params or {}), template.input_schema)

    async def _change(self, job_id: str, how: Callable[[Job], Job]) -> Job:
        job = await self.shelf.change(job_id, how, self.engine.clock.now())
        if job is None:
            raise unknown(job_id, [])
        self._changed()
        return job


def _version(text: str | None) -> str | None:
    return None if text is None else f"v{int(text.removeprefix('v'))}"


def _wrong(path: str, message: str) -> OpcodeError:
    return OpcodeError(ErrorCode.VALIDATION_ERROR, f"{path}: {message}", details={"path": path})


def _of_a_trigger(job: Job, what: str) -> OpcodeError:
    return OpcodeError(
        ErrorCode.CONFLICT,
        f"schedule '{job.id}' comes from the triggers of the template '{job.template_name}', so it is {what} by"
        " defining that anew; it can be disabled here",
    )
