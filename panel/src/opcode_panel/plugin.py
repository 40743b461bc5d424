"""What this package adds: pages."""

from typing import Any

from opcode_core import hookimpl


@hookimpl
def opcode_routes(app: Any) -> None:
    """The panel on `/`; whether it answers is up to the settings, which a running server reads again."""
    from opcode_panel.site import add_to

    add_to(app)
