"""`opcode.query`: lists of runs, events and templates."""

from collections.abc import Mapping
from typing import Any

from opcode_core import ErrorCode, EventFilter, OpcodeError, RunFilter
from opcode_core.hosting import did_you_mean, event_answer, record_answer, template_answer
from opcode_server.callers import VIEWER
from opcode_server.tools.schemas import MAYBE_TEXT, OBJECT, TEXT, arguments, described, result
from opcode_server.tools.status import seconds
from opcode_server.tools.tool import Call, Tool

FILTERS: Mapping[str, tuple[str, ...]] = {
    "workflows": ("status", "agent_id", "since", "limit", "template_name", "cursor"),
    "events": ("workflow_id", "step_id", "event_type", "since", "limit", "cursor"),
    "templates": ("name", "agent_id", "limit", "cursor"),
}


async def query(call: Call) -> dict[str, Any]:
    """One page of what fits the filter."""
    resource, where = call.arguments["resource"], dict(call.arguments.get("filter") or {})
    for name in where:
        if name not in FILTERS[resource]:
            known = FILTERS[resource]
            hint = did_you_mean(name, known) or f"{resource} can be filtered by {', '.join(known)}"
            raise _wrong(f"filter.{name}", f"there is no such filter of {resource}; {hint}")
    limit, cursor = where.pop("limit", 50), where.pop("cursor", None)
    if "since" in where:
        where["since"] = seconds(where["since"], "filter.since")
    return await _LISTS[resource](call, where, limit, cursor)


async def _workflows(call: Call, where: dict[str, Any], limit: int, cursor: str | None) -> dict[str, Any]:
    page = await call.house.engine.storage.runs(RunFilter(**where), limit, cursor)
    return {"workflows": [record_answer(run) for run in page.items], "cursor": page.cursor}


async def _events(call: Call, where: dict[str, Any], limit: int, cursor: str | None) -> dict[str, Any]:
    if not where.keys() & {"workflow_id", "event_type"}:
        raise _wrong("filter", "events need a workflow_id or an event_type")
    page = await call.house.engine.storage.events(EventFilter(**where), limit, cursor)
    return {"events": [event_answer(event) for event in page.items], "cursor": page.cursor}


async def _templates(call: Call, where: dict[str, Any], limit: int, cursor: str | None) -> dict[str, Any]:
    page = await call.house.engine.storage.templates(limit=limit, cursor=cursor, **where)
    return {"templates": [template_answer(template) for template in page.items], "cursor": page.cursor}


_LISTS = {"workflows": _workflows, "events": _events, "templates": _templates}


def _wrong(path: str, message: str) -> OpcodeError:
    return OpcodeError(ErrorCode.VALIDATION_ERROR, f"{path}: {message}", details={"path": path})


_ROWS = {"type": "array", "items": OBJECT}

TOOL = Tool(
    name="opcode.query",
    title="List runs, events or templates",
    role=VIEWER,
    perform=query,
    read_only=True,
    idempotent=True,
    input_schema=arguments(
        {
            "resource": {
                "type": "string",
                "enum": ["workflows", "events", "templates"],
                "description": "What to list.",
            },
            "filter": {
                "type": "object",
                "description": "workflows: status, agent_id, template_name, since. events: workflow_id, step_id,"
                " event_type, since; one of workflow_id and event_type is needed. templates: name (all versions"
                " of it), agent_id. All: limit, cursor.",
                "properties": {
                    "status": described(TEXT, "active, suspended, completed, failed or cancelled"),
                    "agent_id": TEXT,
                    "template_name": TEXT,
                    "workflow_id": TEXT,
                    "step_id": TEXT,
                    "event_type": described(TEXT, "as step_failed"),
                    "name": TEXT,
                    "since": described(TEXT, "not before this time, as 2026-01-31T12:00:00Z"),
                    "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 50},
                    "cursor": described(TEXT, "of the page before"),
                },
            },
        },
        ["resource"],
    ),
    output_schema=result(
        {
            "workflows": _ROWS,
            "events": _ROWS,
            "templates": _ROWS,
            "cursor": described(MAYBE_TEXT, "Of the next page; null at the end."),
        },
        ["cursor"],
    ),
)
