"""A template: its versions, its picture, its definition, what changed, and a form that runs it."""

import difflib
import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from opcode_core import OpcodeError
from opcode_core.hosting import template_answer
from opcode_panel.filters import part
from opcode_panel.forms import fields_of, values_of
from opcode_panel.picture import picture
from opcode_panel.rendering import caller_of, house_of, page, see
from opcode_server import TOOLS

VERSIONS = 50


def add_to(router: APIRouter) -> None:
    """`/templates/{name}`."""

    @router.get("/templates/{name:path}")
    async def template(request: Request, name: str, version: str = "", against: str = "") -> HTMLResponse:
        """One version; the newest by default."""
        return await _shown(request, name, version, against)

    @router.post("/templates/{name:path}")
    async def run(request: Request, name: str) -> Response:
        """Run it with what was filled in."""
        form = {key: str(value) for key, value in (await request.form()).items()}
        house, caller = house_of(request), caller_of(request)
        found = await house.engine.template(name, form.get("version") or None)
        try:
            params = values_of(_schema(template_answer(found)), form)
            call: dict[str, Any] = {"template_name": name, "params": params, "wait": False, "ask_user": False}
            call |= {
                "version": f"v{found.version}",
                "agent_id": caller.agent_id or form.get("agent_id") or "panel",
            }
            answer = await TOOLS["opcode.run"].call(house, caller, call)
        except OpcodeError as error:
            return await _shown(request, name, form.get("version", ""), "", error, form)
        return see(f"/workflows/{part(answer['workflow_id'])}")


async def _shown(
    request: Request,
    name: str,
    version: str,
    against: str,
    error: OpcodeError | None = None,
    typed: dict[str, str] | None = None,
) -> HTMLResponse:
    engine = house_of(request).engine
    found = await engine.template(name, version or None)
    versions = await engine.storage.templates(name, limit=VERSIONS)
    answer = template_answer(found)
    other = template_answer(await engine.template(name, against)) if against else None
    plan = await engine.plan(found.definition)
    return page(
        request,
        "template.html",
        200 if error is None else 422,
        template=answer,
        versions=[template_answer(one) for one in versions.items],
        drawn=await picture(engine, plan, f"{name} {answer['version']}"),
        fields=fields_of(_schema(answer), typed),
        agent_id=(typed or {}).get("agent_id", "panel"),
        against=against,
        difference=_difference(other, answer) if other else [],
        error=error,
    )


def _schema(answer: dict[str, Any]) -> dict[str, Any]:
    """The input schema; without one, a schema of the inputs' defaults."""
    if answer["input_schema"]:
        return dict(answer["input_schema"])
    inputs = answer["definition"].get("inputs") or {}
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return {
        "properties": {
            name: {"default": value, **({"type": kinds[type(value)]} if type(value) in kinds else {})}
            for name, value in inputs.items()
        }
    }


def _difference(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str]]:
    """Lines with `+`, `-` or a blank before them."""
    first, second = (
        json.dumps(answer["definition"], indent=2, ensure_ascii=False).splitlines()
        for answer in (before, after)
    )
    lines = difflib.unified_diff(first, second, before["version"], after["version"], lineterm="", n=3)
    return [(line[:1], line[1:]) for line in lines if not line.startswith(("---", "+++"))]
