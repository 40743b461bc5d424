"""Scheduler: what runs by itself and when; make, change, stop and start schedules."""

import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, Response

from opcode_core import ErrorCode, OpcodeError, loads
from opcode_core.hosting import iso
from opcode_panel.filters import part
from opcode_panel.rendering import caller_of, house_of, page, see

MOST_TEMPLATES = 1000
EMPTY = {
    "id": "",
    "template_name": "",
    "template_version": "",
    "cron_expression": "",
    "timezone": "UTC",
    "params": "{}",
    "agent_id": "",
    "catchup": "one",
}


def add_to(router: APIRouter) -> None:
    """`/scheduler` and `/scheduler/{id}`."""

    @router.get("/scheduler")
    async def scheduler(request: Request, template: str = "") -> HTMLResponse:
        """Those that run next come first."""
        return await _all(request, EMPTY | {"template_name": template})

    @router.post("/scheduler")
    async def create(request: Request) -> Response:
        """A new one, or what is wrong where it was written."""
        caller, form = _author(request), await _form(request)
        try:
            wish = _wish(form)
            wish["agent_id"] = caller.speaks_for(wish.get("agent_id")) if caller.agent_id else _agent(wish)
            job = await _installed(request).create({"id": form["id"], **wish} if form["id"] else wish)
        except OpcodeError as error:
            return await _all(request, form, error)
        _note(request, "schedule.create", job)
        return see(f"/scheduler/{part(job.id)}")

    @router.get("/scheduler/{job_id}")
    async def one(request: Request, job_id: str) -> HTMLResponse:
        """A schedule, its next times, its runs."""
        return await _one(request, job_id)

    @router.post("/scheduler/{job_id}")
    async def edit(request: Request, job_id: str) -> Response:
        """Change it."""
        caller, form = _author(request), await _form(request)
        before = await _theirs(request, job_id)
        try:
            wish = _wish(form)
            wish["agent_id"] = caller.speaks_for(wish.get("agent_id") or before.agent_id)
            wish.setdefault("template_version", None)
            job = await _installed(request).edit(job_id, wish)
        except OpcodeError as error:
            return await _one(request, job_id, form, error)
        _note(request, "schedule.edit", job)
        return see(f"/scheduler/{part(job_id)}")

    @router.post("/scheduler/{job_id}/enabled")
    async def enable(request: Request, job_id: str, to: Annotated[str, Form()]) -> Response:
        """Let it run at its times, or let it rest."""
        _author(request)
        await _theirs(request, job_id)
        job = await _installed(request).edit(job_id, {"enabled": to == "true"})
        _note(request, "schedule.edit", job)
        return see(f"/scheduler/{part(job_id)}")

    @router.post("/scheduler/{job_id}/delete")
    async def delete(request: Request, job_id: str) -> Response:
        """Forget it."""
        _author(request)
        job = await _theirs(request, job_id)
        await _installed(request).remove(job_id)
        _note(request, "schedule.delete", job)
        return see("/scheduler")

    @router.post("/scheduler/{job_id}/run")
    async def run(request: Request, job_id: str) -> Response:
        """A run beside its times."""
        caller_of(request).need("operator", "running a schedule")
        job = await _theirs(request, job_id)
        run_id = await _installed(request).run_now(job_id)
        _note(request, "schedule.run", job)
        return see(f"/workflows/{part(run_id)}")


def _shown(job: Any) -> dict[str, Any]:
    return {"job": job, "next": iso(job.next_run_at), "last": iso(job.last.started_at) if job.last else None}


async def _all(request: Request, form: dict[str, str], error: OpcodeError | None = None) -> HTMLResponse:
    caller_of(request).need("viewer", "schedules")
    engine = house_of(request).engine
    scheduler = engine.service("scheduler")
    jobs = await scheduler.schedules.all() if scheduler else []
    names = [one.name for one in (await engine.storage.templates(limit=MOST_TEMPLATES)).items]
    return page(
        request,
        "scheduler.html",
        200 if error is None else 422,
        installed=scheduler is not None,
        jobs=[_shown(job) for job in jobs],
        names=names,
        form=form,
        error=error,
        now=engine.clock.now(),
    )


async def _one(
    request: Request, job_id: str, form: dict[str, str] | None = None, error: OpcodeError | None = None
) -> HTMLResponse:
    caller_of(request).need("viewer", "schedules")
    schedules = _installed(request)
    job = await schedules.one(job_id)
    history = [(past, iso(past.time), iso(past.started_at)) for past in job.recent]
    return page(
        request,
        "scheduler_job.html",
        200 if error is None else 422,
        job=job,
        shown=_shown(job),
        times=[(iso(time), iso(time + _ahead(job, time))) for time in schedules.next_times(job)],
        history=history,
        form=form or _form_of(job),
        error=error,
        now=house_of(request).engine.clock.now(),
    )


def _ahead(job: Any, time: int) -> int:
    """Seconds that a clock in its zone is ahead of UTC then."""
    ahead = datetime.fromtimestamp(time, job.times.zone).utcoffset()
    return int(ahead.total_seconds()) if ahead is not None else 0


def _installed(request: Request) -> Any:
    """The running scheduler's schedules; the package is not imported, for it may not be installed."""
    scheduler = house_of(request).engine.service("scheduler")
    if scheduler is None:
        raise OpcodeError(
            ErrorCode.ACTION_UNAVAILABLE, "no scheduler is installed (pip install opcode-scheduler)"
        )
    return scheduler.schedules


def _author(request: Request) -> Any:
    caller = caller_of(request)
    caller.need("author", "changing schedules")
    return caller


async def _theirs(request: Request, job_id: str) -> Any:
    """A job that the caller may change: one of the agent that they speak for."""
    job = await _installed(request).one(job_id)
    caller_of(request).speaks_for(job.agent_id)
    return job


def _agent(wish: dict[str, Any]) -> str:
    return str(wish.get("agent_id") or "panel")


def _note(request: Request, what: str, job: Any) -> None:
    about = f"{job.id} {job.template_name}"
    house_of(request).audit.note(caller_of(request), what, about, agent_id=job.agent_id)


async def _form(request: Request) -> dict[str, str]:
    given = await request.form()
    return {name: str(given.get(name, "")).strip() for name in EMPTY}


def _form_of(job: Any) -> dict[str, str]:
    return {
        "id": job.id,
        "template_name": job.template_name,
        "template_version": job.template_version or "",
        "cron_expression": job.cron_expression,
        "timezone": job.timezone,
        "params": json.dumps(dict(job.params or {}), ensure_ascii=False, indent=2),
        "agent_id": job.agent_id,
        "catchup": job.catchup,
    }


def _wish(form: dict[str, str]) -> dict[str, Any]:
    """What was filled in; empty fields are left out."""
    wish: dict[str, Any] = {name: text for name, text in form.items() if text and name != "id"}
    if "params" in wish:
        try:
            wish["params"] = loads(wish["params"])
        except ValueError as error:
            raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"params is not JSON: {error}") from None
    return wish
