"""Decisions: what waits for a person, with all that one needs to decide, and what was decided."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from opcode_core import Decision, DecisionFilter, ErrorCode, OpcodeError
from opcode_core.hosting import decision_answer, status_answer
from opcode_panel.forms import fields_of, values_of
from opcode_panel.rendering import caller_of, house_of, page, see
from opcode_panel.watching import position
from opcode_server import TOOLS, House

LIMIT = 20
CODES = {ErrorCode.VALIDATION_ERROR: 422, ErrorCode.PERMISSION_DENIED: 403}


def add_to(router: APIRouter) -> None:
    """`/decisions` and each of them."""

    @router.get("/decisions")
    async def decisions(request: Request, status: str = "pending", cursor: str = "") -> HTMLResponse:
        """Who waits longest comes first."""
        house = house_of(request)
        seen = await position(house.engine, None)
        where = DecisionFilter(status=status or None, agent_id=caller_of(request).agent_id)
        found = await house.engine.storage.decisions(where, LIMIT, cursor or None)
        shown = [await _shown(request, decision) for decision in found.items]
        return page(request, "decisions.html", decisions=shown, status=status, cursor=found.cursor, seen=seen)

    @router.get("/decisions/{decision_id}")
    async def decision(request: Request, decision_id: str) -> HTMLResponse:
        """On one screen."""
        house = house_of(request)
        shown = await _shown(request, await _found(house, decision_id))
        return page(request, "decision.html", decision=shown, error=None)

    @router.post("/decisions/{decision_id}")
    async def decide(request: Request, decision_id: str) -> Response:
        """Resolve or reject it; what does not fit is shown where it was written."""
        house = house_of(request)
        decision = await _found(house, decision_id)
        form = {name: str(value) for name, value in (await request.form()).items()}
        caller = caller_of(request)
        try:
            call: dict[str, Any] = {
                "workflow_id": decision.workflow_id,
                "signal_type": "decision",
                "step_id": decision.step_id,
                "payload": {**_payload(decision, form), "decision_id": decision_id},
            }
            if caller.agent_id is None:
                call["agent_id"] = decision.target_agent_id or "panel"
            await TOOLS["opcode.signal"].call(house, caller, call)
        except OpcodeError as error:
            shown = await _shown(request, await _found(house, decision_id), form)
            code = CODES.get(error.code, 409)
            return page(request, "decision.html", code, decision=shown, error=error)
        return see(f"/workflows/{decision.workflow_id}")


async def _found(house: House, decision_id: str) -> Decision:
    found = await house.engine.storage.decision(decision_id)
    if found is None:
        raise OpcodeError(ErrorCode.NOT_FOUND, f"there is no decision '{decision_id}'")
    return found


async def _shown(request: Request, decision: Decision, typed: dict[str, str] | None = None) -> dict[str, Any]:
    state = await house_of(request).engine.state(decision.workflow_id)
    answer = decision_answer(decision)
    if decision.id in state.decisions:
        pending = status_answer(state)["pending_decisions"]
        answer = next((one for one in pending if one["id"] == decision.id), answer)
    answer["fields"] = fields_of(decision.response_schema, typed)
    answer["typed"] = {"choice": "", "reasoning": "", **(typed or {})}
    answer["mine"] = caller_of(request).agent_id in (
        None,
        decision.target_agent_id or caller_of(request).agent_id,
    )
    answer["run_name"] = state.name or state.id
    return answer


def _payload(decision: Decision, form: dict[str, str]) -> dict[str, Any]:
    reasoning = {"reasoning": form["reasoning"]} if form.get("reasoning") else {}
    if form.get("act") == "reject":
        return {"reject": form.get("reasoning") or "rejected in the panel"}
    choice = form.get("choice", "")
    data = values_of(decision.response_schema, form)
    return {"choice": choice, **reasoning, **({"data": data} if decision.response_schema else {})}
