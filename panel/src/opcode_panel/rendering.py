"""Pages from templates: everything escaped, and a policy under which no foreign or inline script runs."""

from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse

from opcode_panel import filters
from opcode_panel.saved import Savings
from opcode_panel.shared import Shared
from opcode_panel.watching import Watches
from opcode_server import ROLES, Caller, House

STATIC = Path(__file__).parent / "static"
HAS_VENDOR = (STATIC / "vendor" / "htmx.min.js").exists()
"""Whether the front-end files were built; a server has to be started anew after that."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
NAV = (
    ("/workflows", "Workflows", "viewer"),
    ("/decisions", "Decisions", "viewer"),
    ("/templates", "Templates", "viewer"),
    ("/scheduler", "Scheduler", "viewer"),
    ("/events", "Events", "viewer"),
    ("/agents", "Agents", "viewer"),
    ("/plugins", "Plugins", "viewer"),
    ("/secrets", "Secrets", "admin"),
)
"""Where the pages are, what they are called, and who may see them."""
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


def watches_of(request: Request) -> Watches:
    """Who watches what."""
    watches: Watches = request.app.state.panel_watches
    return watches


def shared_of(request: Request) -> Shared:
    """What is made once for many."""
    shared: Shared = request.app.state.panel_shared
    return shared


def savings_of(request: Request) -> Savings:
    """What was saved so far."""
    savings: Savings = request.app.state.panel_savings
    return savings


def role_of(request: Request) -> str:
    """What whoever looks at the page may do; empty before the login."""
    caller = request.scope.get("opcode.caller")
    return caller.role if caller else ""


def text(request: Request, name: str, **values: Any) -> str:
    """A template with what every page needs: who looks, what they may do, and where they are."""
    role = role_of(request)
    return _environment.get_template(name).render(
        request=request,
        caller=request.scope.get("opcode.caller"),
        may=lambda needed: bool(role) and ROLES.index(role) >= ROLES.index(needed),
        path=request.url.path,
        pages=NAV,
        has_vendor=HAS_VENDOR,
        **values,
    )


def html(text: str, code: int = 200) -> HTMLResponse:
    """A page, or a part of one, under the policy."""
    return HTMLResponse(text, code, HEADERS)


def page(request: Request, name: str, code: int = 200, **values: Any) -> HTMLResponse:
    """A template as an answer."""
    return html(text(request, name, **values), code)


def see(path: str) -> RedirectResponse:
    """After something was done: look there."""
    return RedirectResponse(path, 303, HEADERS)
