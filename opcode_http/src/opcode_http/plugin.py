"""What this package adds to OPCODE."""

from typing import TYPE_CHECKING

from opcode_core import Action, Service, hookimpl

if TYPE_CHECKING:
    from opcode_core import Engine


@hookimpl
def opcode_actions() -> list[Action]:
    """`http.request`, `http.get` and `http.post`."""
    from opcode_http.actions import get, post, request

    return [request, get, post]


@hookimpl
def opcode_services(engine: "Engine") -> list[Service]:  # noqa: ARG001
    """What closes the pooled connections."""
    from opcode_http.pools import PoolService

    return [PoolService()]
