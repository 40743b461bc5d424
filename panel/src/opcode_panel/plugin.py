"""What this package adds: pages."""

from typing import Any

from opcode_core import hookimpl


@hookimpl
def opcode_routes(app: Any) -> None:
    """The panel on `/`, unless the settings say no."""
    if not app.state.opcode.settings.panel:
        return
    from opcode_panel.site import add_to

    add_to(app)
