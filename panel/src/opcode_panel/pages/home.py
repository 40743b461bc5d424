"""Home: what runs, what waits for me, what failed and why, what comes next, whether all is well, what was saved."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from opcode_core import DecisionFilter, Engine, EventFilter, RunFilter, Tally
from opcode_core.hosting import decision_answer, event_answer, iso, record_answer
from opcode_panel.health import checks
from opcode_panel.rendering import house_of, html, page, role_of, savings_of, shared_of, text
from opcode_panel.watching import FAR, NEXT, position

FEW = 6
LAST = 10
STATUSES = ("active", "suspended", "failed", "completed", "cancelled")


def add_to(router: APIRouter) -> None:
    """`/`."""

    @router.get("/")
    async def home(request: Request) -> HTMLResponse:
        """The whole page."""
        return page(request, "home.html", **await _facts(request))

    @router.get("/-/home")
    async def inner(request: Request) -> HTMLResponse:
        """What changes, made once for all who look."""

        async def make() -> str:
            return text(request, "home_inner.html", **await _facts(request))

        now = await position(house_of(request).engine, None)
        return html(await shared_of(request).get(("home", role_of(request)), now, make))


async def _facts(request: Request) -> dict[str, Any]:
    house = house_of(request)
    storage = house.engine.storage
    seen = await position(house.engine, None)  # before all else, so that nothing falls between
    tally = await storage.tally()
    pending = await storage.decisions(DecisionFilter(status="pending"), FEW)
    failed = await storage.runs(RunFilter(status="failed"), FEW)
    running = await storage.runs(RunFilter(status="active"), FEW)
    activity = await storage.events(EventFilter(), LAST)
    return {
        "seen": seen,
        "counts": {status: sum(row.runs for row in tally if row.status == status) for status in STATUSES},
        "agents": _by_agent(tally),
        "runs": sum(row.runs for row in tally),
        "pending": [decision_answer(decision) for decision in pending.items],
        "more_pending": pending.cursor is not None,
        "failed": [record_answer(run) for run in failed.items],
        "more_failed": failed.cursor is not None,
        "running": [record_answer(run) for run in running.items],
        "more_running": running.cursor is not None,
        "upcoming": await _upcoming(house.engine),
        "activity": [event_answer(event) for event in activity.items],
        "checks": await checks(house),
        "saved": await savings_of(request).now(),
    }


async def _upcoming(engine: Engine) -> list[dict[str, Any]]:
    """What the scheduler, where there is one, starts next, and the runs that wait for a time."""
    scheduler = engine.service("scheduler")
    jobs = await scheduler.schedules.next_ones(FEW) if scheduler else []
    runs = await engine.storage.due(FAR, NEXT)
    found = [
        (job.next_run_at, {"name": job.template_name, "path": "/scheduler", "what": f"schedule {job.id}"})
        for job in jobs
    ]
    found += [
        (
            run.wakes_at or FAR,
            {
                "name": run.name or run.template_name or run.id,
                "path": f"/workflows/{run.id}",
                "what": "its time is over" if run.status == "suspended" else "it goes on",
            },
        )
        for run in runs
    ]
    return [{**about, "at": iso(at)} for at, about in sorted(found, key=lambda one: one[0])[:FEW]]


def _by_agent(tally: Sequence[Tally]) -> list[dict[str, Any]]:
    agents: dict[str, dict[str, Any]] = {}
    for row in tally:
        agent = agents.setdefault(row.agent_id, {"id": row.agent_id, "runs": 0, **dict.fromkeys(STATUSES, 0)})
        agent["runs"] += row.runs
        if row.status in STATUSES:
            agent[row.status] += row.runs
    return sorted(agents.values(), key=lambda agent: -int(agent["runs"]))[:FEW]
