"""Events: of all runs, with filters, page by page."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from opcode_core import Event, EventFilter, Page
from opcode_core.hosting import event_answer
from opcode_panel.rendering import house_of, page

LIMIT = 50


def add_to(router: APIRouter) -> None:
    """`/events`."""

    @router.get("/events")
    async def events(
        request: Request, workflow_id: str = "", event_type: str = "", step_id: str = "", cursor: str = ""
    ) -> HTMLResponse:
        """The newest first; of one run by sequence. A step is known only in its run."""
        needs_run = bool(step_id and not workflow_id)
        where = EventFilter(workflow_id or None, step_id or None, event_type or None)
        found: Page[Event] = (
            Page()
            if needs_run
            else await house_of(request).engine.storage.events(where, LIMIT, cursor or None)
        )
        return page(
            request,
            "events.html",
            events=[event_answer(event) for event in found.items],
            cursor=found.cursor,
            needs_run=needs_run,
            chosen={"workflow_id": workflow_id, "event_type": event_type, "step_id": step_id},
        )
