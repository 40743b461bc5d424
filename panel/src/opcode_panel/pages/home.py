"""Home: what runs, what waits for me, what failed and why, whether all is well, what was saved."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from opcode_core import DecisionFilter, EventFilter, RunFilter, Tally
from opcode_core.hosting import decision_answer, event_answer, record_answer
from opcode_panel.health import troubles
from opcode_panel.rendering import house_of, page
from opcode_server import House

FEW = 8
STATUSES = ("active", "suspended", "failed", "completed", "cancelled")


def add_to(router: APIRouter) -> None:
    """`/`."""

    @router.get("/")
    async def home(request: Request) -> HTMLResponse:
        """The whole page."""
        return page(request, "home.html", **await _facts(house_of(request)))

    @router.get("/-/home")
    async def inner(request: Request) -> HTMLResponse:
        """What changes."""
        return page(request, "home_inner.html", **await _facts(house_of(request)))


async def _facts(house: House) -> dict[str, Any]:
    storage = house.engine.storage
    tally = await storage.tally()
    pending = await storage.decisions(DecisionFilter(status="pending"), FEW)
    failed = await storage.runs(RunFilter(status="failed"), FEW)
    running = await storage.runs(RunFilter(status="active"), FEW)
    activity = await storage.events(EventFilter(), 12)
    return {
        "counts": {status: sum(row.runs for row in tally if row.status == status) for status in STATUSES},
        "agents": _by_agent(tally),
        "runs": sum(row.runs for row in tally),
        "events": sum(row.events for row in tally),
        "pending": [decision_answer(decision) for decision in pending.items],
        "more_pending": pending.cursor is not None,
        "failed": [record_answer(run) for run in failed.items],
        "running": [record_answer(run) for run in running.items],
        "activity": [event_answer(event) for event in activity.items],
        "troubles": troubles(house),
    }


def _by_agent(tally: Sequence[Tally]) -> list[dict[str, Any]]:
    agents: dict[str, dict[str, Any]] = {}
    for row in tally:
        agent = agents.setdefault(row.agent_id, {"id": row.agent_id, "runs": 0, **dict.fromkeys(STATUSES, 0)})
        agent["runs"] += row.runs
        if row.status in STATUSES:
            agent[row.status] += row.runs
    return sorted(agents.values(), key=lambda agent: -int(agent["runs"]))[:FEW]
