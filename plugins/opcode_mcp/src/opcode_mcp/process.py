"""A server as a process: messages are lines on its standard input and output, bounded in every way."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import mcp_types as t
from mcp.shared.message import SessionMessage

from opcode_mcp.config import ToolServer
from opcode_mcp.watch import MOST_MESSAGE, Garbage, Watch

GUARD = Path(__file__).with_name("guard.py")
INHERITED = ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
"""All that a server is given of our environment."""
GENTLY, TOLD = 1.5, 1.5
"""Seconds that it has to end once its standard input has, and once it got SIGTERM; then it is killed."""
PIECE = 64 * 1024
MOST_LINE = 1000
"""Bytes of a line on its standard error; what is longer goes on in the next one."""


class CannotStart(Exception):  # noqa: N818
    """The message says why."""


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """What a server sees: what every process needs, and what it is given."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ} | dict(given)


@asynccontextmanager
async def process(server: ToolServer, env: Mapping[str, str], watch: Watch) -> AsyncIterator[Any]:
    """Start it; the streams of its messages. At the end it is gone, with all that it started.

    Raises:
        CannotStart: when there is no such program or folder.
    """
    process, lifeline = await _start(server, environment(env))
    watch.pid = process.pid
    coming, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, going = anyio.create_memory_object_stream[SessionMessage](0)
    readers = [
        asyncio.ensure_future(_messages(process, coming, watch)),
        asyncio.ensure_future(_errors(process, watch)),
        asyncio.ensure_future(_write(process, going)),
    ]
    try:
        yield read, write
    finally:
        watch.closing = True
        for stream in (read, write, coming, going):
            stream.close()
        try:
            await _end(process, lifeline)
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)
            watch.pid = None


def _program(server: ToolServer, path: str | None) -> tuple[str, Path | None]:
    """What to start, and where.

    Raises:
        CannotStart: when one of them is not there.
    """
    cwd = None if server.cwd is None else Path(server.cwd).expanduser()
    if cwd is not None and not cwd.is_dir():
        raise CannotStart(f"its folder {cwd} is not there")
    command = server.command
    if "/" in command:
        command = str(Path(command).expanduser())
    if shutil.which(command, path=path) is None:
        raise CannotStart(f"there is no command {server.command!r} that can be executed on its PATH")
    return command, cwd


async def _start(server: ToolServer, env: dict[str, str]) -> "tuple[asyncio.subprocess.Process, int]":
    command, cwd = _program(server, env.get("PATH"))
    theirs, ours = os.pipe()
    try:
        started = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(GUARD), str(theirs), command, *server.args),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=env,
            cwd=cwd,
            pass_fds=(theirs,),
            start_new_session=True,
            limit=PIECE,
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return started, ours


async def _end(process: "asyncio.subprocess.Process", lifeline: int) -> None:
    """Its input ends; then SIGTERM; then SIGKILL for it and everything below it, whatever happens to us meanwhile."""
    try:
        if process.stdin is not None:
            process.stdin.close()
        if await _ended(process, GENTLY):
            return
        with suppress(OSError):
            os.write(lifeline, b"T")
        await _ended(process, TOLD)
    finally:
        os.close(lifeline)
        await _ended(process, GENTLY)
        transport = getattr(process, "_transport", None)
        if transport is not None:
            transport.close()


async def _ended(process: "asyncio.subprocess.Process", within: float) -> bool:
    """Whether it has. `wait` would also wait for whoever else holds its pipes."""
    until = asyncio.get_running_loop().time() + within
    while process.returncode is None and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return process.returncode is not None


async def _messages(process: "asyncio.subprocess.Process", coming: Any, watch: Watch) -> None:
    """Hand on what is a message; give up on a server that writes too much, or no messages at all."""
    assert process.stdout is not None
    rest = bytearray()
    try:
        while piece := await process.stdout.read(PIECE):
            rest += piece
            *lines, last = rest.split(b"\n")
            rest = bytearray(last)
            if len(rest) > MOST_MESSAGE:
                raise Garbage(f"it sent a message of more than {MOST_MESSAGE:,} bytes")
            for line in lines:
                if line.strip():
                    await _hand_on(bytes(line), coming, watch)
    except Garbage as fault:
        watch.give_up(str(fault))
    except (anyio.ClosedResourceError, anyio.BrokenResourceError):
        """The session has ended."""
    finally:
        if watch.fault is None:
            with suppress(asyncio.CancelledError):
                await _ended(process, 0.2)  # its exit code says more than the end of a pipe
        watch.ended(process.returncode)
        coming.close()
        await _discard(process.stdout)


async def _hand_on(line: bytes, coming: Any, watch: Watch) -> None:
    if len(line) > MOST_MESSAGE:
        raise Garbage(f"it sent a message of more than {MOST_MESSAGE:,} bytes")
    watch.count_message()
    try:
        message = t.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError:
        watch.count_garbage(line)
        return
    await coming.send(SessionMessage(message))


async def _discard(stream: asyncio.StreamReader) -> None:
    """A server that cannot write cannot end in good order."""
    while await stream.read(PIECE):
        """Nobody wants it any more."""


async def _errors(process: "asyncio.subprocess.Process", watch: Watch) -> None:
    """Its standard error goes to our log, line by line."""
    assert process.stderr is not None
    rest = bytearray()
    while piece := await process.stderr.read(PIECE):
        rest += piece
        *lines, last = rest.split(b"\n")
        for line in lines:
            for start in range(0, len(line), MOST_LINE):
                watch.said(bytes(line[start : start + MOST_LINE]))
        rest = bytearray(last)
        while len(rest) > MOST_LINE:
            watch.said(bytes(rest[:MOST_LINE]))
            del rest[:MOST_LINE]
    if rest:
        watch.said(bytes(rest))


async def _write(process: "asyncio.subprocess.Process", going: Any) -> None:
    assert process.stdin is not None
    with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
        async for item in going:
            text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
            process.stdin.write(text.encode() + b"\n")
            await process.stdin.drain()
