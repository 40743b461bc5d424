"""Pages from templates: everything escaped, and a policy under which no foreign or inline script runs."""

from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse

from opcode_panel import filters
from opcode_server import Caller, House

STATIC = Path(__file__).parent / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_environment = Environment(
    loader=PackageLoader("opcode_panel"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(filters.FILTERS)


def house_of(request: Request) -> House:
    """The engine and what belongs to it."""
    house: House = request.app.state.opcode
    return house


def caller_of(request: Request) -> Caller:
    """Who looks at the page."""
    caller: Caller = request.scope["opcode.caller"]
    return caller


def page(request: Request, name: str, code: int = 200, **values: Any) -> HTMLResponse:
    """A page, or a part of one."""
    caller = request.scope.get("opcode.caller")
    text = _environment.get_template(name).render(
        request=request,
        caller=caller,
        path=request.url.path,
        has_vendor=(STATIC / "vendor" / "htmx.min.js").exists(),
        **values,
    )
    return HTMLResponse(text, code, HEADERS)


def see(path: str) -> RedirectResponse:
    """After something was done: look there."""
    return RedirectResponse(path, 303, HEADERS)
