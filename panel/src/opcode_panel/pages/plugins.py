"""Plugins: what is installed, what it adds, and what is wrong with it."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from opcode_panel.health import troubles
from opcode_panel.rendering import house_of, page


def add_to(router: APIRouter) -> None:
    """`/plugins`."""

    @router.get("/plugins")
    async def plugins(request: Request) -> HTMLResponse:
        """By name."""
        house = house_of(request)
        registry = house.engine.registry
        rows = [
            {
                "name": name,
                "package": found.package,
                "state": found.state,
                "error": found.error,
                "offers": registry.offers(name),
            }
            for name, found in sorted(house.engine.plugins.found.items())
        ]
        return page(request, "plugins.html", plugins=rows, troubles=troubles(house))
