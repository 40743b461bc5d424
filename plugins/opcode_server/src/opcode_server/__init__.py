"""The server: agents drive OPCODE over MCP, programs over REST.

What is named here is for those who add pages or routes (hook `opcode_routes`): `app.state.opcode` is the House,
a request's `scope["opcode.caller"]` the Caller.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opcode_server.callers import ROLES as ROLES
    from opcode_server.callers import Caller as Caller
    from opcode_server.gate import COOKIE as COOKIE
    from opcode_server.house import House as House
    from opcode_server.streams import events_of as events_of
    from opcode_server.tools import TOOLS as TOOLS

_HOMES = {
    "ROLES": "callers",
    "Caller": "callers",
    "COOKIE": "gate",
    "House": "house",
    "events_of": "streams",
    "TOOLS": "tools",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
