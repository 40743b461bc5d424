"""Plugins: what is installed, what it adds, and what is wrong with it; tool servers, and who may be called."""

import shlex
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse

from opcode_core import ErrorCode, OpcodeError, Provided, ProviderSource
from opcode_panel.health import layers, troubles
from opcode_panel.rendering import caller_of, house_of, page, see

HERE = "/plugins#tools"


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
        isolation, layered = await layers(house)
        return page(
            request,
            "plugins.html",
            plugins=rows,
            troubles=[*troubles(house), *isolation.troubles],
            isolation=isolation.said,
            layers=layered,
            has_tools=bool(registry.provider_sources),
            servers=await _servers(request),
            role=caller_of(request).role,
        )

    _add_tools(router)


def _add_tools(router: APIRouter) -> None:
    @router.post("/plugins/-/tools")
    async def add(
        request: Request,
        server_id: Annotated[str, Form()],
        target: Annotated[str, Form()],
        given: Annotated[str, Form()] = "",
    ) -> RedirectResponse:
        """Another tool server: it may start any program of this machine, so only admins add one."""
        caller_of(request).need("admin", "adding a tool server")
        house = house_of(request)
        config = _config(server_id.strip(), target.strip(), given)
        house.engine.registry.check_prefix(config["id"])
        await _source(request).add(house.engine.storage, config)
        house.audit.note(caller_of(request), "tools.add", config["id"])
        return see(HERE)

    @router.post("/plugins/-/tools/remove")
    async def remove(request: Request, server_id: Annotated[str, Form()]) -> RedirectResponse:
        """Stop and forget one."""
        caller_of(request).need("admin", "removing a tool server")
        await _source(request).remove(house_of(request).engine.storage, server_id)
        house_of(request).audit.note(caller_of(request), "tools.remove", server_id)
        return see(HERE)

    @router.post("/plugins/-/tools/restart")
    async def restart(request: Request, server_id: Annotated[str, Form()]) -> RedirectResponse:
        """Start one anew."""
        caller_of(request).need("operator", "restarting a tool server")
        await _source(request).restart(house_of(request).engine.storage, server_id)
        house_of(request).audit.note(caller_of(request), "tools.restart", server_id)
        return see(HERE)

    @router.post("/plugins/-/tools/approve")
    async def approve(
        request: Request, server_id: Annotated[str, Form()], tool: Annotated[str, Form()]
    ) -> RedirectResponse:
        """Let a tool be called, as it was when the page was made: it is named by its hash."""
        caller_of(request).need("admin", "approving a tool")
        await _source(request).approve(house_of(request).engine.storage, server_id, [tool])
        house_of(request).audit.note(caller_of(request), "tools.approve", f"{server_id} {tool[:12]}")
        return see(HERE)


async def _servers(request: Request) -> list[Provided]:
    engine = house_of(request).engine
    return [
        provided
        for source in engine.registry.provider_sources
        for provided in await source.overview(engine.storage)
    ]


def _source(request: Request) -> ProviderSource:
    sources = house_of(request).engine.registry.provider_sources
    if not sources:
        raise OpcodeError(ErrorCode.NOT_FOUND, "no tool servers without opcode-mcp (pip install opcode-mcp)")
    return sources[0]


def _config(server_id: str, target: str, given: str) -> dict[str, Any]:
    """What the form says, as the settings would say it."""
    pairs: dict[str, str] = {}
    for line in given.splitlines():
        name, equals, value = line.partition("=")
        if line.strip() and not equals:
            raise OpcodeError(
                ErrorCode.VALIDATION_ERROR, f"{name.strip()!r:.80}: write NAME=VALUE, one a line"
            )
        if line.strip():
            pairs[name.strip()] = value.strip()
    if target.startswith(("http://", "https://")):
        return {"id": server_id, "url": target, "headers": pairs}
    try:
        words = shlex.split(target)
    except ValueError as error:
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"the command line cannot be read: {error}") from None
    if not words:
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, "write a command line, or a URL")
    return {"id": server_id, "command": words[0], "args": words[1:], "env": pairs}
