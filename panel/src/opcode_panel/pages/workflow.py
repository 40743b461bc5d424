"""A run: its picture, its timeline, its steps, its decisions, its events, and what can be done with it."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse

from opcode_core import DecisionFilter, EventFilter, RunFilter
from opcode_core.hosting import decision_answer, event_answer, record_answer, status_answer
from opcode_panel.picture import picture
from opcode_panel.rendering import caller_of, house_of, html, page, role_of, see, shared_of, text
from opcode_panel.timeline import timeline
from opcode_panel.watching import position
from opcode_server import TOOLS

LAST_EVENTS = 50
DECISIONS = 50
CHILDREN = 20
STEPS = 150
"""Steps that a page shows."""


def add_to(router: APIRouter) -> None:
    """`/workflows/{id}` and what its buttons do."""

    @router.get("/workflows/{run_id}")
    async def workflow(request: Request, run_id: str) -> HTMLResponse:
        """The whole page."""
        return page(request, "workflow.html", **await _facts(request, run_id))

    @router.get("/-/workflows/{run_id}")
    async def inner(request: Request, run_id: str) -> HTMLResponse:
        """What changes, made once for all who look."""

        async def make() -> str:
            return text(request, "workflow_inner.html", **await _facts(request, run_id))

        now = await position(house_of(request).engine, run_id)
        return html(await shared_of(request).get((run_id, role_of(request)), now, make))

    @router.post("/workflows/{run_id}/signal")
    async def signal(
        request: Request,
        run_id: str,
        kind: Annotated[str, Form()],
        step_id: Annotated[str, Form()] = "",
        reason: Annotated[str, Form()] = "",
    ) -> RedirectResponse:
        """Cancel, retry, skip."""
        said: dict[str, Any] = {"workflow_id": run_id, "signal_type": kind, "payload": {}}
        said |= {"step_id": step_id} if step_id else {}
        said |= {"reasoning": reason} if reason else {}
        await TOOLS["opcode.signal"].call(house_of(request), caller_of(request), said)
        return see(f"/workflows/{run_id}")

    @router.post("/workflows/{run_id}/fork")
    async def fork(request: Request, run_id: str, step_id: Annotated[str, Form()]) -> RedirectResponse:
        """Again from a step, in a run of its own."""
        caller_of(request).need("operator", "fork")
        house = house_of(request)
        forked = await house.engine.fork(run_id, step_id, None, caller_of(request).agent_id)
        house.audit.note(caller_of(request), "fork", f"{run_id} {step_id} {forked}")
        return see(f"/workflows/{forked}")

    @router.post("/workflows/{run_id}/again")
    async def again(request: Request, run_id: str) -> RedirectResponse:
        """The same definition with the same inputs."""
        caller_of(request).need("operator", "run")
        house = house_of(request)
        state = await house.engine.state(run_id)
        plan = await house.engine.plan_of(state)
        what = state.template_name or plan
        options = {"version": state.template_version} if state.template_name else {"name": state.name}
        agent_id = caller_of(request).speaks_for(None if caller_of(request).agent_id else state.agent_id)
        begun = await house.engine.start(what, state.inputs, agent_id=agent_id, **options)
        house.audit.note(caller_of(request), "again", f"{run_id} {begun}")
        return see(f"/workflows/{begun}")


async def _facts(request: Request, run_id: str) -> dict[str, Any]:
    engine = house_of(request).engine
    record = await engine.storage.run(run_id)  # before the state, so that nothing falls between
    state = await engine.state(run_id)
    plan = await engine.plan_of(state)
    decided = await engine.storage.decisions(DecisionFilter(workflow_id=run_id), DECISIONS)
    after = max((record.sequence if record else 0) - LAST_EVENTS, 0)
    children = await engine.storage.runs(RunFilter(parent_id=run_id), CHILDREN)
    events = await engine.storage.events(EventFilter(workflow_id=run_id, after=after), LAST_EVENTS)
    run = status_answer(state, plan)
    steps = _worth_seeing(run["steps"])
    return {
        "seen": str(record.sequence) if record else "none",
        "run": run,
        "steps": steps,
        "hidden": len(run["steps"]) - len(steps),
        "inputs": state.inputs,
        "parent_id": state.parent_id,
        "drawn": await picture(engine, plan, state.name or state.id, state),
        "bars": timeline(state, engine.clock.now()),
        "events": [event_answer(event) for event in reversed(events.items)],
        "earlier_events": after > 0,
        "decided": [decision_answer(one) for one in decided.items if one.status != "pending"],
        "children": [record_answer(run) for run in children.items],
    }


def _worth_seeing(steps: dict[str, Any]) -> dict[str, Any]:
    """All steps; of very many those that are not done well, then the outermost, then the last ones."""
    if len(steps) <= STEPS:
        return steps
    calm = ("completed", "skipped", "pending", "scheduled")

    def rank(place: int, step_id: str) -> tuple[bool, bool, int]:
        return (steps[step_id]["status"] in calm, "." in step_id, -place)

    ranked = sorted(enumerate(steps), key=lambda each: rank(*each))
    chosen = {step_id for _, step_id in ranked[:STEPS]}
    return {step_id: step for step_id, step in steps.items() if step_id in chosen}
