"""What this package adds to the server: calls from outside, and schedules over REST.

The server is only known by what it hands to those who add routes: `app.state.opcode`, the house, with the engine and
the audit log, and a request's `scope["opcode.caller"]`, which knows its role and whom it may speak for.
"""

import logging
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from opcode_core import Engine, ErrorCode, OpcodeError, dumps, loads
from opcode_core.hosting import iso
from opcode_scheduler.job import Job, job_answer, past_answer
from opcode_scheduler.rates import Rate
from opcode_scheduler.schedules import Schedules
from opcode_scheduler.signatures import SIGNATURE, TIMESTAMP
from opcode_scheduler.webhook import Refused, take

HOOKS = "/hooks/"
MOST_BODY = 1024 * 1024
"""Bytes of a call from outside."""
CALLS, AT_ONCE = 50.0, 100.0
"""Calls from one address: a second, and at once."""

_log = logging.getLogger("opcode.scheduler")


@dataclass(frozen=True, slots=True)
class _Outside:
    """Who calls a webhook, for the audit log."""

    address: str
    name: str = "webhook"
    role: str = "operator"


def add_to(app: FastAPI) -> None:
    """All routes; the webhooks' paths need no token, for their calls are signed."""
    app.state.open_paths.append(HOOKS)
    router = APIRouter()
    _add_hooks(router, app.state.opcode)
    _add_schedules(router, app.state.opcode)
    app.include_router(router)


def _add_hooks(router: APIRouter, house: Any) -> None:
    rate = Rate(CALLS, AT_ONCE)

    @router.post(HOOKS + "{template:path}", summary="Call a template's webhook", response_model=None)
    async def hook(request: Request, template: str) -> Response:
        """The body, a JSON object, becomes the params; both headers are needed; 202 with the run's id."""
        address = request.client.host if request.client else ""
        if not rate.allows(address):
            error = OpcodeError(ErrorCode.PERMISSION_DENIED, "too many calls came from here")
            return _refused(error, 429, {"retry-after": "1"})
        body = await _body(request)
        if body is None:
            message = f"a call may have {MOST_BODY} bytes"
            return _refused(OpcodeError(ErrorCode.VALIDATION_ERROR, message), 413, {"connection": "close"})
        headers = request.headers
        try:
            run_id = await take(
                house.engine, template, headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, ""), body
            )
        except Refused as refused:
            _log.warning("a call of the webhook of %r from %s is refused: %s", template, address, refused.why)
            return _refused(refused, 401)
        house.audit.note(_Outside(address), "hook", f"{template} {run_id}")
        return _reply({"workflow_id": run_id}, 202)


def _add_schedules(router: APIRouter, house: Any) -> None:
    base = "/api/v1/schedules"
    _add_reading(router, house, base)

    @router.post(base, summary="Make a schedule", response_model=None)
    async def create(request: Request) -> Response:
        """`template_name` and `cron_expression` are needed."""
        wish = await _object(request)
        wish["agent_id"] = _author(request).speaks_for(wish.get("agent_id"))
        job = await _schedules(house).create(wish)
        _note(house, request, "schedule.create", job)
        return _reply(_shown(house, job), 201)

    @router.post(base + "/-/look", summary="Look at the schedules again", response_model=None)
    async def look(request: Request) -> Response:
        """After they were changed in the database."""
        request.scope["opcode.caller"].need("operator", "schedules")
        scheduler = house.engine.service("scheduler")
        if scheduler is not None:
            scheduler.look()
        return _reply({"ok": True})

    @router.patch(base + "/{job_id}", summary="Change a schedule", response_model=None)
    async def edit(request: Request, job_id: str) -> Response:
        """What is given changes."""
        wish, caller = await _object(request), _author(request)
        caller.speaks_for((await _schedules(house).one(job_id)).agent_id)
        if "agent_id" in wish:
            caller.speaks_for(wish["agent_id"])
        job = await _schedules(house).edit(job_id, wish)
        _note(house, request, "schedule.edit", job)
        return _reply(_shown(house, job))

    @router.delete(base + "/{job_id}", summary="Delete a schedule", response_model=None)
    async def delete(request: Request, job_id: str) -> Response:
        """Its runs stay."""
        job = await _schedules(house).one(job_id)
        _author(request).speaks_for(job.agent_id)
        await _schedules(house).remove(job_id)
        _note(house, request, "schedule.delete", job)
        return _reply({"id": job_id, "deleted": True})

    @router.post(base + "/{job_id}/run", summary="Run a schedule now", response_model=None)
    async def run(request: Request, job_id: str) -> Response:
        """A run beside its times."""
        caller = request.scope["opcode.caller"]
        caller.need("operator", "schedules")
        job = await _schedules(house).one(job_id)
        caller.speaks_for(job.agent_id)
        run_id = await _schedules(house).run_now(job_id)
        _note(house, request, "schedule.run", job)
        return _reply({"workflow_id": run_id})


def _add_reading(router: APIRouter, house: Any, base: str) -> None:
    @router.get(base, summary="Schedules", response_model=None)
    async def all_(request: Request) -> Response:
        """Those that run next come first."""
        request.scope["opcode.caller"].need("viewer", "schedules")
        return _reply({"schedules": [_shown(house, job) for job in await _schedules(house).all()]})

    @router.get(base + "/{job_id}", summary="A schedule", response_model=None)
    async def one(request: Request, job_id: str, times: int = 10) -> Response:
        """With its next times and its last runs."""
        request.scope["opcode.caller"].need("viewer", "schedules")
        schedules = _schedules(house)
        job = await schedules.one(job_id)
        following = [iso(time) for time in schedules.next_times(job, max(times, 1))]
        history = [past_answer(past) for past in job.recent]
        return _reply({**_shown(house, job), "next_times": following, "history": history})


def _schedules(house: Any) -> Schedules:
    """The running service's, which is told of changes; else one of its own."""
    engine: Engine = house.engine
    scheduler = engine.service("scheduler")
    return Schedules(engine) if scheduler is None else scheduler.schedules


def _author(request: Request) -> Any:
    caller = request.scope["opcode.caller"]
    caller.need("author", "schedules")
    return caller


def _note(house: Any, request: Request, what: str, job: Job) -> None:
    house.audit.note(
        request.scope["opcode.caller"], what, f"{job.id} {job.template_name}", agent_id=job.agent_id
    )


def _shown(house: Any, job: Job) -> dict[str, Any]:
    return job_answer(job, house.engine.clock.now())


async def _object(request: Request) -> dict[str, Any]:
    try:
        body = loads(await request.body() or b"{}")
    except ValueError as error:
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, "the body must be a JSON object")
    return body


async def _body(request: Request) -> bytes | None:
    """What was sent, or None when it is too large."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 10 or int(length) > MOST_BODY):
        return None
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BODY:
            return None
    return bytes(body)


def _reply(answer: Any, status: int = 200) -> Response:
    return Response(dumps(answer), status, media_type="application/json")


def _refused(error: OpcodeError, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(dumps({"error": error.to_dict()}), status, headers, media_type="application/json")
