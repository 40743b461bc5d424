"""The site: its pages, its files, and what the browser is told about both."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from opcode_core import ErrorCode, OpcodeError
from opcode_panel.guard import guarded, is_on
from opcode_panel.pages import (
    agents,
    decisions,
    events,
    home,
    live,
    login,
    plugins,
    scheduler,
    secrets,
    template,
    templates,
    workflow,
    workflows,
)
from opcode_panel.rendering import HAS_VENDOR, STATIC, page
from opcode_panel.saved import Savings
from opcode_panel.shared import Shared
from opcode_panel.watching import Watches
from opcode_server import House

PAGES = (
    home,
    workflows,
    workflow,
    templates,
    template,
    decisions,
    scheduler,
    events,
    agents,
    plugins,
    secrets,
    login,
    live,
)

_log = logging.getLogger("opcode.panel")


def add_to(app: FastAPI) -> None:
    """Add all pages; whoever is not known is sent to the login."""
    house: House = app.state.opcode
    house.login = login.PATH
    app.state.open_paths.extend([login.PATH, "/static/"])
    app.state.panel_watches = Watches(house.engine)
    app.state.panel_shared = Shared()
    app.state.panel_savings = Savings(house.engine)
    if not HAS_VENDOR:
        _log.warning(
            "the panel's pages do not change by themselves: its front-end files are not built (make panel)"
        )
    app.mount("/static", _Files(directory=STATIC), name="static")
    router = APIRouter(include_in_schema=False, dependencies=[guarded], route_class=_Page)
    for each in PAGES:
        each.add_to(router)
    app.include_router(router)
    _show_what_is_missing(app)


def _show_what_is_missing(app: FastAPI) -> None:
    """A path that nobody serves is a page for those who want pages, and as before for programs."""
    before: Any = app.exception_handlers[HTTPException]

    async def missing(request: Request, error: Any) -> Response:
        wants_page = "text/html" in request.headers.get("accept", "") and is_on(request)
        if error.status_code != 404 or not wants_page:
            answer: Response = await before(request, error)
            return answer
        told = OpcodeError(ErrorCode.NOT_FOUND, f"there is no page {request.url.path}")
        return page(request, "trouble.html", 404, error=told, heading="It is not there")

    app.add_exception_handler(HTTPException, missing)


class _Page(APIRoute):
    """What goes wrong is a page too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's own, with an eye on its errors."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except OpcodeError as error:
                code, heading = _HEADINGS.get(error.code, (409, "That did not work"))
                return page(request, "trouble.html", code, error=error, heading=heading)
            except RequestValidationError as error:
                fault = error.errors()[0]
                wrong = OpcodeError(ErrorCode.VALIDATION_ERROR, f"{fault['loc'][-1]}: {fault['msg']}")
                return page(request, "trouble.html", 422, error=wrong, heading="That is not right")
            except HTTPException:
                raise
            except Exception:
                _log.exception("%s %s", request.method, request.url.path)
                wrong = OpcodeError(ErrorCode.EXECUTION_ERROR, "the page could not be made; the log says why")
                return page(request, "trouble.html", 500, error=wrong, heading="That is a bug")

        return answer


_HEADINGS = {
    ErrorCode.NOT_FOUND: (404, "It is not there"),
    ErrorCode.PERMISSION_DENIED: (403, "That is not allowed"),
    ErrorCode.VALIDATION_ERROR: (422, "That is not right"),
    ErrorCode.STORE_ERROR: (503, "The storage does not answer"),
}


class _Files(StaticFiles):
    """Files that a browser may keep for a while."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=300"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
