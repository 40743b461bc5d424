"""`triggers.cron` of a template: its jobs, made, changed and removed as it is defined anew."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from opcode_core import Engine, ErrorCode, OpcodeError, TemplateRecord
from opcode_core.hosting import Issue
from opcode_scheduler.job import SHELF, Job, read_job
from opcode_scheduler.shelf import Shelf
from opcode_scheduler.wishes import OURS, WHEN, issues_of

MOST = 50
"""Jobs of one template's triggers."""
SPEC: Mapping[str, Any] = {
    "type": "object",
    "properties": {**WHEN, "name": {"type": "string", "minLength": 1, "maxLength": 100}},
    "required": ["cron_expression"],
    "additionalProperties": False,
}


class CronTriggers:
    """`"cron"`: an expression, an object with `expression`, or a list of these."""

    name = "cron"

    def faults(self, given: Any) -> Sequence[Issue]:
        """Everything that is wrong."""
        specs = given if isinstance(given, list) else [given]
        if len(specs) > MOST:
            return [Issue("", f"there are {len(specs)}; a template has {MOST} at most")]
        found: list[Issue] = []
        names: set[str] = set()
        for at, spec in enumerate(specs):
            place = f"[{at}]" if isinstance(given, list) else ""
            found += _faults(spec, place)
            name = _name(spec, at)
            if name in names:
                found.append(
                    Issue(f"{place}.name".lstrip("."), f"the name '{name:.100}' is taken by another one")
                )
            names.add(name)
        return found

    async def defined(self, engine: Engine, template: TemplateRecord) -> None:
        """Bring the template's jobs in line with its newest version."""
        await take_over(engine, template.name)
        scheduler = engine.service("scheduler")
        if scheduler is not None:
            scheduler.look()


async def take_over(engine: Engine, name: str) -> None:
    """Make, change and remove a template's jobs; again, when a newer version comes meanwhile."""
    while True:
        newest = await engine.storage.template(name)
        if newest is None:
            return
        await _apply(engine, newest)
        now_newest = await engine.storage.template(name)
        if now_newest is None or now_newest.version == newest.version:
            return


async def take_over_all(engine: Engine) -> None:
    """The same for all templates: a process may have died after it stored one and before it made its jobs."""
    with_jobs = {job.template_name async for job in Shelf(engine.storage).all() if job.trigger is not None}
    cursor: str | None = None
    while True:
        page = await engine.storage.templates(limit=100, cursor=cursor)
        for template in page.items:
            if template.name in with_jobs or _specs(template):
                await take_over(engine, template.name)
        cursor = page.cursor
        if cursor is None:
            return


async def _apply(engine: Engine, template: TemplateRecord) -> None:
    shelf, now = Shelf(engine.storage), engine.clock.now()
    prefix = f"{OURS}{_digest(template.name)[:12]}-"
    wanted = {f"{prefix}{_digest(name)[:8]}": (name, spec) for name, spec in _specs(template).items()}
    there = await engine.storage.items(SHELF, prefix, limit=1000)
    for item in there.items:
        job = read_job(item.value)
        if job.id not in wanted and job.trigger_version < template.version:
            await shelf.remove(job.id)
    for job_id, (name, spec) in wanted.items():
        made = _job(job_id, name, spec, template, now)

        def changed(job: Job, made: Job = made, spec: Mapping[str, Any] = spec) -> Job:
            return job if job.trigger_version >= made.trigger_version else _renewed(job, made, spec, now)

        if await shelf.change(job_id, changed, now) is None:
            try:
                await shelf.add(made.rescheduled(now), now)
            except OpcodeError as error:
                if error.code is not ErrorCode.CONFLICT:  # another process has just made it
                    raise


def _job(job_id: str, name: str, spec: Mapping[str, Any], template: TemplateRecord, now: float) -> Job:
    return Job(
        id=job_id,
        template_name=template.name,
        agent_id=template.agent_id,
        created_at=now,
        trigger=name,
        trigger_version=template.version,
        **spec,
    )


def _renewed(job: Job, made: Job, spec: Mapping[str, Any], now: float) -> Job:
    """What was said about it since, that it is disabled, stays unless the definition says otherwise."""
    enabled = made.enabled if "enabled" in spec else job.enabled
    after = replace(
        made,
        created_at=job.created_at,
        enabled=enabled,
        next_run_at=job.next_run_at,
        claim=job.claim,
        recent=job.recent,
    )
    same = (after.cron_expression, after.timezone, after.enabled) == (
        job.cron_expression,
        job.timezone,
        job.enabled,
    )
    return after if same else after.rescheduled(now)


def _specs(template: TemplateRecord) -> dict[str, dict[str, Any]]:
    """A job's fields by its name; nothing when what is stored is no such thing (it may be older than this)."""
    given = (template.triggers or {}).get("cron")
    if given is None or CronTriggers().faults(given):
        return {}
    specs = given if isinstance(given, list) else [given]
    return {
        _name(spec, at): {key: value for key, value in _fields(spec).items() if key != "name"}
        for at, spec in enumerate(specs)
    }


def _fields(spec: Any) -> Any:
    """Under the names that a job has for them."""
    if isinstance(spec, str):
        return {"cron_expression": spec}
    if isinstance(spec, Mapping) and "cron_expression" not in spec:
        return {"cron_expression" if key == "expression" else key: value for key, value in spec.items()}
    return spec


def _faults(spec: Any, place: str) -> list[Issue]:
    fields = _fields(spec)
    if not isinstance(fields, Mapping):
        return [Issue(place, f"{spec!r:.60} is neither an expression nor an object with one")]
    if "cron_expression" not in fields:
        return [Issue(place, "it has no 'expression', as \"0 9 * * 1\"")]
    renamed = isinstance(spec, Mapping) and "expression" in spec
    to = ".expression" if renamed else "" if isinstance(spec, str) else ".cron_expression"
    return [
        replace(
            issue, path=issue.path.replace(f"{place}.cron_expression".lstrip("."), f"{place}{to}".lstrip("."))
        )
        for issue in issues_of(fields, SPEC, place)
    ]


def _name(spec: Any, at: int) -> str:
    name = spec.get("name") if isinstance(spec, Mapping) else None
    return name if isinstance(name, str) else str(at + 1)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
