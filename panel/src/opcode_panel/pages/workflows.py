"""Runs: a list with filters, page by page."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from opcode_core import RunFilter
from opcode_core.hosting import record_answer
from opcode_panel.rendering import house_of, page
from opcode_panel.watching import position

STATUSES = ("active", "suspended", "completed", "failed", "cancelled")
LIMIT = 30


def add_to(router: APIRouter) -> None:
    """`/workflows`."""

    @router.get("/workflows")
    async def workflows(
        request: Request, status: str = "", agent_id: str = "", template_name: str = "", cursor: str = ""
    ) -> HTMLResponse:
        """The newest first."""
        where = RunFilter(status or None, agent_id or None, template_name or None)
        seen = await position(house_of(request).engine, None)
        found = await house_of(request).engine.storage.runs(where, LIMIT, cursor or None)
        return page(
            request,
            "workflows.html",
            runs=[record_answer(run) for run in found.items],
            cursor=found.cursor,
            seen=seen,
            first=not cursor,
            statuses=STATUSES,
            chosen={"status": status, "agent_id": agent_id, "template_name": template_name},
        )
