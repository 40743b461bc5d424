"""The running server, for commands that would rather have it do the work: its runs outlive the command."""

import asyncio
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping
from typing import Any

from opcode_core.cli.session import lasting_storage, registry
from opcode_core.codec import dumps, loads
from opcode_core.compiler import make_plan
from opcode_core.contracts.storage import EventFilter, Storage
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.events import Event
from opcode_core.runfile import Running, find

ANSWER = 30.0
"""Seconds in which it answers."""
LOOK = 0.1
"""Seconds between looks for what it wrote."""


def running() -> Running | None:
    """The server of this user on the storage of the settings, or None; one that does not answer is none."""
    url = lasting_storage()
    server = None if url is None else find(url)
    if server is None:
        return None
    try:
        with urllib.request.urlopen(f"{server.url}/healthz", timeout=2.0):  # noqa: S310 - from our own file
            return server
    except (OSError, ValueError):
        return None


async def ask(server: Running, what: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Call one of the server's tools.

    Raises:
        OpcodeError: what the server said, or ACTION_UNAVAILABLE when it does not answer.
    """
    return await asyncio.to_thread(_ask, server, what, arguments)


async def begin(
    server: Running,
    workflow: str,
    source: bytes | None,
    params: Mapping[str, Any],
    *,
    version: str | None,
    agent_id: str,
) -> str:
    """Start a run of a template, or of the definition in `source`, and give its id.

    Raises:
        OpcodeError: what the server said.
    """
    rest: dict[str, Any] = {"params": dict(params), "agent_id": agent_id, "wait": False}
    if source is None:
        of_version = {} if version is None else {"version": version}
        answer = await ask(server, "run", {"template_name": workflow, **of_version, **rest})
    else:
        make_plan(source, registry())  # for its errors, which name the line in the file
        name = "(standard input)" if workflow == "-" else workflow
        answer = await ask(server, "execute", {"definition": loads(source), "name": name, **rest})
    return str(answer["workflow_id"])


async def stored_events(storage: Storage, run_id: str, after: int) -> AsyncIterator[Event]:
    """A run's events as another process writes them, from the one after `after` on."""
    while True:
        page = await storage.events(EventFilter(workflow_id=run_id, after=after), limit=1000)
        for event in page.items:
            after = event.sequence
            yield event
        await asyncio.sleep(LOOK)


def _ask(server: Running, what: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - from our own file
        f"{server.url}/api/v1/{what}",
        data=dumps(dict(arguments)),
        headers={"Authorization": f"Bearer {server.key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER) as response:  # noqa: S310
            answer: dict[str, Any] = loads(response.read())
            return answer
    except urllib.error.HTTPError as refused:
        raise _said(refused, server) from None
    except (OSError, ValueError) as error:
        raise OpcodeError(
            ErrorCode.ACTION_UNAVAILABLE, f"the server at {server.url} does not answer: {error}"
        ) from None


def _said(refused: urllib.error.HTTPError, server: Running) -> OpcodeError:
    try:
        return OpcodeError.from_dict(loads(refused.read())["error"])
    except (OSError, ValueError, KeyError, TypeError):
        message = f"the server at {server.url} answered {refused.code}"
        return OpcodeError(ErrorCode.ACTION_UNAVAILABLE, message)
