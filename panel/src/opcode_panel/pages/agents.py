"""Agents: everyone who ever called, and how their runs went."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from opcode_panel.rendering import house_of, page


def add_to(router: APIRouter) -> None:
    """`/agents`."""

    @router.get("/agents")
    async def agents(request: Request, cursor: str = "") -> HTMLResponse:
        """By id."""
        house = house_of(request)
        found, following = await house.agents.page(100, cursor or None)
        runs: dict[str, dict[str, Any]] = {}
        for row in await house.engine.storage.tally():
            runs.setdefault(row.agent_id, {})[row.status] = row.runs
        return page(request, "agents.html", agents=found, runs=runs, cursor=following)
