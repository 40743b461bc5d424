"""Templates: the list, and an editor with checks as one types."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, Response

from opcode_core import ErrorCode, OpcodeError
from opcode_core.hosting import InvalidDefinition, Issue, template_answer
from opcode_panel.filters import part
from opcode_panel.picture import picture
from opcode_panel.places import line_of
from opcode_panel.rendering import caller_of, house_of, page, see
from opcode_server import TOOLS

LIMIT = 30
FIRST = """{
  "inputs": {"name": "world"},
  "steps": [
    {"id": "hello", "action": "workflow.log", "params": {"message": "hello ${{inputs.name}}"}}
  ]
}"""


def add_to(router: APIRouter) -> None:
    """`/templates` and `/templates/-/new`."""

    @router.get("/templates")
    async def templates(request: Request, cursor: str = "") -> HTMLResponse:
        """By name."""
        found = await house_of(request).engine.storage.templates(limit=LIMIT, cursor=cursor or None)
        shown = [template_answer(template) for template in found.items]
        return page(request, "templates.html", templates=shown, cursor=found.cursor)

    @router.get("/templates/-/new")
    async def new(request: Request, template: str = "") -> HTMLResponse:
        """An empty one, or the next version of one that is there."""
        caller_of(request).need("author", "writing a workflow")
        values = {"name": "", "description": "", "definition": FIRST, "input_schema": ""}
        if template:
            answer = template_answer(await house_of(request).engine.template(template))
            values |= {
                "name": template,
                "description": answer["description"],
                "definition": _text(answer["definition"]),
                "input_schema": _text(answer["input_schema"]) if answer["input_schema"] else "",
            }
        return await _editor(request, values)

    @router.post("/templates/-/new")
    async def look(
        request: Request,
        name: Annotated[str, Form()] = "",
        description: Annotated[str, Form()] = "",
        definition: Annotated[str, Form()] = "",
        input_schema: Annotated[str, Form()] = "",
    ) -> HTMLResponse:
        """Check it, where no script does so as one types."""
        return await _editor(request, _values(name, description, definition, input_schema))

    @router.post("/-/check")
    async def check(request: Request, definition: Annotated[str, Form()] = "") -> HTMLResponse:
        """As one types: every fault with its line, or the picture."""
        return page(request, "editor_check.html", **await _checked(request, definition))

    @router.post("/templates")
    async def define(
        request: Request,
        name: Annotated[str, Form()] = "",
        description: Annotated[str, Form()] = "",
        definition: Annotated[str, Form()] = "",
        input_schema: Annotated[str, Form()] = "",
    ) -> Response:
        """Store it, or show what is wrong where it was written."""
        values = _values(name, description, definition, input_schema)
        caller = caller_of(request)
        try:
            call: dict[str, Any] = {"name": name, "definition": definition, "description": description}
            call["agent_id"] = caller.agent_id or "panel"
            if input_schema.strip():
                call["input_schema"] = _json(input_schema, "input_schema")
            await TOOLS["opcode.define"].call(house_of(request), caller, call)
        except OpcodeError as error:
            return await _editor(request, values, error)
        return see(f"/templates/{part(name)}")


async def _editor(request: Request, values: dict[str, str], error: OpcodeError | None = None) -> HTMLResponse:
    checked = await _checked(request, values["definition"])
    status = 200 if error is None else 422
    return page(request, "editor.html", status, values=values, error=error, **checked)


async def _checked(request: Request, definition: str) -> dict[str, Any]:
    engine = house_of(request).engine
    try:
        plan = await engine.plan(definition)
    except InvalidDefinition as error:
        faults = [(issue, line_of(definition, issue.path, issue.message)) for issue in error.issues]
        return {"faults": faults, "warnings": [], "drawn": None}
    except OpcodeError as error:
        faults = [(Issue("", error.message), line_of(definition, "", error.message))]
        return {"faults": faults, "warnings": [], "drawn": None}
    return {"faults": [], "warnings": plan.warnings, "drawn": await picture(engine, plan, "preview")}


def _values(name: str, description: str, definition: str, input_schema: str) -> dict[str, str]:
    return {
        "name": name,
        "description": description,
        "definition": definition,
        "input_schema": input_schema,
    }


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"{name} is not JSON: {error}") from None
