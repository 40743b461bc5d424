"""Asking the person at a client's end to decide: as a form, in both of the protocol's eras."""

from collections.abc import Mapping
from typing import Any

import mcp_types as t
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from opcode_core import Decision, dumps, loads
from opcode_core.hosting import printable
from opcode_server.tools.tool import Ask

Context = ServerRequestContext[Any, Any]
ANSWER = "decision"
_FLAT = ("string", "number", "integer", "boolean")


class InputRequired(Exception):  # noqa: N818 - no error: the call is made again with the answer
    """The client shall ask its user and make the same call again with what they say."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.id)
        self.decision = decision

    def result(self) -> t.InputRequiredResult:
        """What the client is told."""
        state = {"workflow_id": self.decision.workflow_id, "decision_id": self.decision.id}
        form = t.ElicitRequestFormParams(
            message=_question(self.decision), requested_schema=_schema(self.decision)
        )
        return t.InputRequiredResult(
            input_requests={ANSWER: t.ElicitRequest(params=form)},
            request_state=dumps(state).decode(),
        )


def asks(context: Context, params: t.CallToolRequestParams) -> Ask | None:
    """How to ask the person at the other end, or None when the client cannot."""
    capabilities = context.session.client_capabilities
    if capabilities is None or capabilities.elicitation is None:
        return None
    if capabilities.elicitation.form is None and capabilities.elicitation.url is not None:
        return None
    if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
        return _by_another_call(params)
    return _in_this_call(context)


def continued(params: t.CallToolRequestParams) -> tuple[str, str] | None:
    """The run and the decision that a call goes on with, from the state that the client carried."""
    try:
        state = loads(params.request_state or "null")
        return str(state["workflow_id"]), str(state["decision_id"])
    except (ValueError, TypeError, KeyError):
        return None


def _in_this_call(context: Context) -> Ask:
    async def ask(decision: Decision) -> dict[str, Any] | None:
        try:
            said = await context.session.elicit_form(
                _question(decision), _schema(decision), context.request_id
            )
        except MCPError:  # it cannot after all, or its user is gone
            return None
        return _payload(decision, said)

    return ask


def _by_another_call(params: t.CallToolRequestParams) -> Ask:
    answered = continued(params)
    response = (params.input_responses or {}).get(ANSWER)

    async def ask(decision: Decision) -> dict[str, Any] | None:
        if answered is None or answered[1] != decision.id:
            raise InputRequired(decision)
        return _payload(decision, response) if isinstance(response, t.ElicitResult) else None

    return ask


def _question(decision: Decision) -> str:
    lines = [decision.prompt]
    if decision.data:
        lines += ["", dumps(decision.data).decode()[:4000]]
    if decision.options:
        lines += ["", *(f"{option['id']}: {option.get('description', '')}" for option in decision.options)]
    return printable("\n".join(lines))


def _schema(decision: Decision) -> dict[str, Any]:
    """A flat form, as the protocol wants it: the choice, why, and the plain parts of what else is asked for."""
    choice: dict[str, Any] = {"type": "string", "title": "Decision"}
    if decision.options:
        choice["enum"] = [option["id"] for option in decision.options]
    properties = {"choice": choice, **_data_fields(decision)}
    properties["reasoning"] = {"type": "string", "title": "Why"}
    required = ["choice", *(name for name in _needed(decision) if name in properties)]
    return {"type": "object", "properties": properties, "required": required}


def _data_fields(decision: Decision) -> dict[str, Any]:
    asked = (decision.response_schema or {}).get("properties", {})
    return {
        name: field
        for name, field in asked.items()
        if name not in ("choice", "reasoning") and isinstance(field, Mapping) and field.get("type") in _FLAT
    }


def _needed(decision: Decision) -> list[str]:
    return list((decision.response_schema or {}).get("required", ()))


def _payload(decision: Decision, said: t.ElicitResult) -> dict[str, Any] | None:
    if said.action != "accept" or not said.content:
        return None
    content = dict(said.content)
    payload: dict[str, Any] = {"choice": content.pop("choice", None), "decision_id": decision.id}
    reasoning = content.pop("reasoning", None)
    payload["reasoning"] = str(reasoning or "answered by the person at the client")
    if decision.response_schema is not None or content:
        payload["data"] = content
    return payload
