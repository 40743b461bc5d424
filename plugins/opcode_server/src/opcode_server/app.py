"""The application: MCP, REST, health, and what plugins add, behind one gate."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from opcode_core import ErrorCode, OpcodeError
from opcode_core.hosting import Issue
from opcode_server import rest
from opcode_server.gate import Gate
from opcode_server.hosts import Hosts
from opcode_server.house import House
from opcode_server.mcp.server import Desk
from opcode_server.mcp.sessions import Sessions
from opcode_server.mcp.transports import Transports
from opcode_server.replies import error_reply, reply


def application(house: House) -> ASGIApp:
    """Everything that listens on the port; the engine is started and stopped by whoever has the house."""
    sessions = Sessions(house.engine)
    house.inbox.push = sessions.push
    house.closers.append(sessions.close)
    transports = Transports(Desk(house, sessions).server())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with transports.http.running():
            yield

    app = FastAPI(
        title="OPCODE",
        version=version("opcode-server"),
        summary="The execution layer for AI agents",
        lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        exception_handlers={
            OpcodeError: _refused,
            RequestValidationError: _invalid,
            HTTPException: _no_route,
        },
    )
    open_paths: list[str] = []
    app.state.opcode, app.state.open_paths = house, open_paths
    app.router.routes += transports.routes()
    app.include_router(rest.router(house))
    _add_health(app, house)
    for _ in house.engine.plugins.ask("opcode_routes", app=app):
        """Each adds its routes."""
    host = house.settings.listen_addr.rpartition(":")[0].strip("[]")
    return Gate(app, house, Hosts(host, house.settings.base_url), open_paths)


def _add_health(app: FastAPI, house: House) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        """It lives."""
        return reply({"status": "ok", "version": version("opcode-server")})

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        """It takes on work, and its storage answers."""
        if house.engine.closing:
            return reply({"status": "shutting down"}, 503)
        try:
            await house.engine.storage.run("")
        except OpcodeError as error:
            return reply({"status": "the storage does not answer", "error": str(error)}, 503)
        return reply({"status": "ready"})


async def _refused(_: Request, error: Any) -> Response:
    return error_reply(error)


async def _invalid(_: Request, error: Any) -> Response:
    issues = [
        Issue(".".join(str(part) for part in fault["loc"][1:]), fault["msg"]) for fault in error.errors()
    ]
    details = {"issues": [issue.to_dict() for issue in issues]}
    return error_reply(OpcodeError(ErrorCode.VALIDATION_ERROR, str(issues[0]), details=details))


async def _no_route(request: Request, error: Any) -> Response:
    code = ErrorCode.NOT_FOUND if error.status_code == 404 else ErrorCode.VALIDATION_ERROR
    message = f"{request.method} {request.url.path}: {error.detail}"
    return error_reply(OpcodeError(code, message), error.status_code, error.headers)
