"""Where the log of a server goes: lines of JSON on standard error, also what the libraries say."""

import logging
import sys

from opcode_core.hosting import JsonLines


def log_in_json() -> None:
    """Also what the libraries say, from warnings on, and without their tracebacks."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    handler.addFilter(_is_ours)
    levels = {"uvicorn": "WARNING", "mcp": "ERROR", "sse_starlette": "WARNING", "asyncio": "ERROR"}
    levels["mcp.server.sse"] = "CRITICAL"  # what clients send wrongly is their error, and told to them
    for name, level in levels.items():
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(level)
    ours = logging.getLogger("opcode")
    if not sys.stderr.isatty():
        ours.handlers[:] = [handler]


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether it is no client that went away in the middle of what it sent."""
    return record.exc_info is None or type(record.exc_info[1]).__name__ != "ClientDisconnect"
