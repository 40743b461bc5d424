"""REST under /api/v1: the same tools with the same arguments, and what only programs and people ask for."""

from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import PlainTextResponse, Response

from opcode_core import DecisionFilter, ErrorCode, Event, OpcodeError, dumps, loads
from opcode_core.hosting import decision_answer, event_answer
from opcode_server.callers import ADMIN, AUTHOR, OPERATOR, VIEWER, Caller
from opcode_server.house import House
from opcode_server.mcp.resources import actions_answer, check_inbox, guide_text
from opcode_server.mcp.sessions import inbox_uri
from opcode_server.replies import reply
from opcode_server.streams import events_of
from opcode_server.tools import TOOLS
from opcode_server.tools.run import seconds_of, seen
from opcode_server.tools.tool import Call, Tool

PING = 15
"""Seconds between signs of life on a stream of events."""

Limit = Annotated[int, Query(ge=1, le=1000)]


def router(house: House) -> APIRouter:
    """All routes."""
    routes = APIRouter(prefix="/api/v1")
    for tool in TOOLS.values():
        _add_tool(routes, house, tool)
    _add_runs(routes, house)
    _add_reading(routes, house)
    return routes


def _add_tool(routes: APIRouter, house: House, tool: Tool) -> None:
    async def answer(request: Request) -> Response:
        return reply(await tool.call(house, request.scope["opcode.caller"], await _body(request)))

    name = tool.name.partition(".")[2]
    routes.add_api_route(
        f"/{name}",
        answer,
        methods=["POST"],
        name=name,
        summary=tool.title,
        description=tool.description,
        response_model=None,
        openapi_extra=_documented(tool.input_schema, tool.output_schema),
    )


def _add_runs(routes: APIRouter, house: House) -> None:
    @routes.post("/execute", summary="Run a definition that is not stored", response_model=None)
    async def execute(
        request: Request,
        definition: Annotated[dict[str, Any], Body()],
        params: Annotated[dict[str, Any] | None, Body()] = None,
        agent_id: Annotated[str | None, Body()] = None,
        name: Annotated[str | None, Body()] = None,
        wait: Annotated[bool, Body()] = True,
        timeout: Annotated[float | str, Body()] = 60.0,
    ) -> Response:
        """As opcode.run does with a template."""
        caller = _needing(request, AUTHOR, "execute")
        agent = caller.speaks_for(agent_id)
        await house.agents.seen(agent, house.engine.clock.now())
        patience = seconds_of(timeout)
        plan = await house.engine.plan(definition)
        run_id = await house.engine.start(plan, params, agent_id=agent, name=name)
        house.audit.note(caller, "execute", run_id, agent_id=agent)
        call = Call(house, caller, agent, {"ask_user": False})
        return reply(await seen(call, run_id, patience if wait else 0.0))

    @routes.post("/fork", summary="Run again from a step", response_model=None)
    async def fork(
        request: Request,
        workflow_id: Annotated[str, Body()],
        step_id: Annotated[str, Body()],
        params: Annotated[dict[str, Any] | None, Body()] = None,
    ) -> Response:
        """A new run that takes over what came before the step."""
        caller = _needing(request, OPERATOR, "fork")
        agent = caller.speaks_for(None) if caller.agent_id else None
        run_id = await house.engine.fork(workflow_id, step_id, params, agent)
        house.audit.note(caller, "fork", f"{workflow_id} {step_id} {run_id}")
        return reply({"workflow_id": run_id})

    @routes.get("/events", summary="A run's events as they come", response_class=EventSourceResponse)
    async def events(
        request: Request,
        workflow_id: str,
        since: Annotated[int, Query(ge=0, le=2**53)] = 0,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> EventSourceResponse:
        """Server-sent events; each `id` is the event's sequence, so a client goes on where it was cut off."""
        _needing(request, VIEWER, "events")
        after = _sequence(last_event_id, since)
        stream = events_of(house.engine, workflow_id, after)
        first = await anext(stream, None)  # so that an unknown run is an error and no stream
        return EventSourceResponse(_sent(first, stream), ping=PING)


def _add_reading(routes: APIRouter, house: House) -> None:
    @routes.get("/diagram", summary="A diagram as a file", response_class=Response)
    async def diagram(
        request: Request,
        format: str = "svg",  # noqa: A002 - the name that clients know
        workflow_id: str | None = None,
        template_name: str | None = None,
        version: str | None = None,
        include_status: bool = True,
    ) -> Response:
        """The picture itself with its media type, where opcode.diagram wraps it in JSON."""
        caller = _needing(request, VIEWER, "diagram")
        given = {"workflow_id": workflow_id, "template_name": template_name, "version": version}
        arguments = {name: value for name, value in given.items() if value is not None}
        answer = await TOOLS["opcode.diagram"].call(
            house, caller, {"format": format, "include_status": include_status, **arguments}
        )
        renderer = house.engine.registry.renderers[format]
        drawing = answer["diagram"]
        return Response(
            b64decode(drawing) if format == "image" else drawing,
            media_type=renderer.media_type,
            headers={"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff"},
        )

    @routes.get("/actions", summary="Installed actions", response_model=None)
    async def actions(request: Request) -> Response:
        """With the schemas of their params."""
        _needing(request, VIEWER, "actions")
        return reply({"actions": actions_answer(house)})

    @routes.get("/guide", summary="How to write workflows", response_class=PlainTextResponse)
    async def guide(request: Request) -> PlainTextResponse:
        """Markdown."""
        _needing(request, VIEWER, "guide")
        return PlainTextResponse(guide_text(), media_type="text/markdown; charset=utf-8")

    @routes.get("/decisions", summary="Decisions that wait", response_model=None)
    async def decisions(
        request: Request,
        agent_id: str | None = None,
        status: str = "pending",
        limit: Limit = 50,
        cursor: str | None = None,
    ) -> Response:
        """Who waits longest comes first; with an agent, those that it may answer."""
        caller = _needing(request, VIEWER, "decisions")
        where = DecisionFilter(status=status, agent_id=agent_id or caller.agent_id)
        page = await house.engine.storage.decisions(where, limit, cursor)
        found = [decision_answer(decision) for decision in page.items]
        return reply({"decisions": found, "cursor": page.cursor})

    @routes.get("/inbox/{agent_id}", summary="An agent's notices", response_model=None)
    async def inbox(request: Request, agent_id: str, limit: Limit = 100) -> Response:
        """The newest first."""
        check_inbox(_needing(request, VIEWER, "inbox"), inbox_uri(agent_id))
        return reply({"agent_id": agent_id, "notices": await house.inbox.read(agent_id, limit)})

    @routes.delete("/inbox/{agent_id}", summary="Forget notices", response_model=None)
    async def clear(request: Request, agent_id: str, up_to: str) -> Response:
        """Up to the one with that id."""
        check_inbox(_needing(request, OPERATOR, "inbox"), inbox_uri(agent_id))
        return reply({"removed": await house.inbox.clear(agent_id, up_to)})

    @routes.get("/agents", summary="Who ever called", response_model=None)
    async def agents(request: Request, limit: Limit = 100, cursor: str | None = None) -> Response:
        """By id."""
        _needing(request, VIEWER, "agents")
        found, following = await house.agents.page(limit, cursor)
        return reply({"agents": found, "cursor": following})

    @routes.get("/audit", summary="Who did what", response_model=None)
    async def audit(request: Request, limit: Limit = 100, cursor: str | None = None) -> Response:
        """The newest first."""
        _needing(request, ADMIN, "audit")
        found, following = await house.audit.page(limit, cursor)
        return reply({"entries": found, "cursor": following})


def _needing(request: Request, role: str, what: str) -> Caller:
    caller: Caller = request.scope["opcode.caller"]
    caller.need(role, what)
    return caller


def _sequence(text: str | None, otherwise: int) -> int:
    good = text is not None and text.isascii() and text.isdecimal() and len(text) < 17
    return int(text) if text is not None and good else otherwise


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = loads(await request.body() or b"{}")
    except ValueError as error:
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, "the body must be a JSON object of the arguments")
    return body


async def _sent(first: Event | None, rest: AsyncIterator[Event]) -> AsyncIterator[ServerSentEvent]:
    if first is not None:
        yield _as_sent(first)
        async for event in rest:
            yield _as_sent(event)
    yield ServerSentEvent(event="end", data="{}")


def _as_sent(event: Event) -> ServerSentEvent:
    return ServerSentEvent(
        id=str(event.sequence), event=event.event_type, data=dumps(event_answer(event)).decode()
    )


def _documented(input_schema: Any, output_schema: Any) -> dict[str, Any]:
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": dict(input_schema)}}},
        "responses": {
            "200": {
                "description": "Done",
                "content": {"application/json": {"schema": dict(output_schema)}},
            }
        },
    }
