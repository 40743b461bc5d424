"""Resources: the catalogue of actions, templates, runs, inboxes, and the guide."""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any
from urllib.parse import quote, unquote

import mcp_types as t

from opcode_core import ActionProvider, ErrorCode, OpcodeError, ReportingProvider, dumps
from opcode_core.hosting import status_answer, template_answer
from opcode_server.callers import ADMIN, ROLES, Caller
from opcode_server.house import House
from opcode_server.mcp.clean import clean_text
from opcode_server.mcp.sessions import INBOX, RUN, agent_of, inbox_uri

JSON, MARKDOWN = "application/json", "text/markdown"
ACTIONS, GUIDE, TEMPLATES = "opcode://actions", "opcode://guide", "opcode://templates/"
PAGE = 100


def actions_answer(house: House) -> list[dict[str, Any]]:
    """Every installed action: name, what it does, its effect, and the schema of its params; how its tool server is."""
    registry = house.engine.registry
    found = []
    for name in registry.action_names():
        action = registry.action(name)
        if action is not None and action.name == name:
            found.append(
                {
                    "name": name,
                    "description": action.description,
                    "effect": action.effect,
                    "aliases": list(action.aliases),
                    "params_schema": action.params_schema,
                    "output_schema": action.output_schema,
                    **_health(registry.provider_of(name)),
                }
            )
    return found


def _health(provider: ActionProvider | None) -> dict[str, Any]:
    if not isinstance(provider, ReportingProvider):
        return {}
    health, detail = provider.health
    return {"tool_server": {"id": provider.id, "state": health, "detail": clean_text(detail)}}


def guide_text() -> str:
    """How to write workflows."""
    return files("opcode_server").joinpath("texts/guide.md").read_text(encoding="utf-8")


async def listed(house: House, caller: Caller, cursor: str | None) -> t.ListResourcesResult:
    """The fixed ones, the caller's inbox, and a page of templates."""
    page = await house.engine.storage.templates(limit=PAGE, cursor=cursor)
    found = [
        t.Resource(
            uri=TEMPLATES + quote(template.name, safe=""),
            name=clean_text(template.name),
            description=clean_text(template.description)
            or f"The workflow {template.name}, v{template.version}",
            mime_type=JSON,
        )
        for template in page.items
    ]
    if cursor is None:
        found[:0] = _fixed(caller)
    return t.ListResourcesResult(resources=found, next_cursor=page.cursor)


def _fixed(caller: Caller) -> list[t.Resource]:
    fixed = [
        t.Resource(
            uri=GUIDE,
            name="guide",
            title="How to write workflows",
            description="Steps, types, templates, expressions, errors, decisions; with examples that run.",
            mime_type=MARKDOWN,
        ),
        t.Resource(
            uri=ACTIONS,
            name="actions",
            title="Installed actions",
            description="Every action that a step can name, with the schema of its params.",
            mime_type=JSON,
        ),
    ]
    if caller.agent_id is not None:
        fixed.append(
            t.Resource(
                uri=inbox_uri(caller.agent_id),
                name="inbox",
                title="Your inbox",
                description="What workflows told you, the newest first.",
                mime_type=JSON,
            )
        )
    return fixed


def templates() -> list[t.ResourceTemplate]:
    """The kinds of which there are many."""
    return [
        t.ResourceTemplate(
            uri_template=TEMPLATES + "{name}",
            name="template",
            description="A workflow's newest version: its definition and schemas.",
            mime_type=JSON,
        ),
        t.ResourceTemplate(
            uri_template=RUN + "{id}",
            name="workflow",
            description="A run as opcode.status shows it, without its events.",
            mime_type=JSON,
        ),
        t.ResourceTemplate(
            uri_template=INBOX + "{agent}",
            name="inbox",
            description="What workflows told an agent (workflow.notify), the newest first.",
            mime_type=JSON,
        ),
    ]


async def read(house: House, caller: Caller, uri: str) -> t.ReadResourceResult:
    """One resource.

    Raises:
        OpcodeError: NOT_FOUND, or PERMISSION_DENIED for somebody else's inbox.
    """
    if uri == GUIDE:
        return _result(uri, MARKDOWN, guide_text())
    if uri == ACTIONS:
        return _result(uri, JSON, dumps({"actions": actions_answer(house)}).decode())
    for prefix, reader in _READERS.items():
        if uri.startswith(prefix) and len(uri) > len(prefix):
            answer = await reader(house, caller, unquote(uri.removeprefix(prefix)))
            return _result(uri, JSON, dumps(answer).decode())
    known = ", ".join((GUIDE, ACTIONS, *(prefix + "…" for prefix in _READERS)))
    raise OpcodeError(ErrorCode.NOT_FOUND, f"there is no resource {uri!r:.200}; there are {known}")


def check_inbox(caller: Caller, uri: str) -> None:
    """Raise PERMISSION_DENIED when that is somebody else's inbox."""
    agent_id = agent_of(uri)
    is_admin = ROLES.index(caller.role) >= ROLES.index(ADMIN)
    if agent_id is not None and not is_admin and caller.agent_id not in (None, agent_id):
        raise OpcodeError(
            ErrorCode.PERMISSION_DENIED,
            f"{uri} is the inbox of another agent; yours is {inbox_uri(caller.agent_id or '')}",
        )


async def _template(house: House, _: Caller, name: str) -> dict[str, Any]:
    return template_answer(await house.engine.template(name))


async def _run(house: House, _: Caller, run_id: str) -> dict[str, Any]:
    state = await house.engine.state(run_id)
    answer = status_answer(state, await house.engine.plan_of(state))
    return {name: value for name, value in answer.items() if name != "events"}


async def _inbox(house: House, caller: Caller, agent_id: str) -> dict[str, Any]:
    check_inbox(caller, inbox_uri(agent_id))
    return {"agent_id": agent_id, "notices": await house.inbox.read(agent_id)}


_READERS: dict[str, Callable[[House, Caller, str], Awaitable[dict[str, Any]]]] = {
    TEMPLATES: _template,
    RUN: _run,
    INBOX: _inbox,
}


def _result(uri: str, mime_type: str, text: str) -> t.ReadResourceResult:
    return t.ReadResourceResult(contents=[t.TextResourceContents(uri=uri, mime_type=mime_type, text=text)])
