"""One guarded process: its start, what goes in and comes out, its end."""

import asyncio
import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from opcode_core import guarded_child as child
from opcode_core.codec import dumps
from opcode_core.errors import ErrorCode, OpcodeError

MIB = 2**20

TRANSFER_SECONDS = 10.0
"""How long what goes in, or an answer that has begun, may take to arrive."""

LENGTH = struct.Struct("!I")
_HEADER = struct.Struct("!BI")
_NOTHING: dict[str, str] = {}


class Worker:
    """One process, and our end of the channel to it.

    Args:
        name: how errors call it.
        bounds: what it runs, and how much of everything that may take: `entry`, `seconds`, `memory`, `output`, `calls`.

    Raises:
        OpcodeError: EXECUTION_ERROR when it cannot start.
    """

    def __init__(self, name: str, bounds: Mapping[str, Any]) -> None:
        self.ready = False
        self.late = False
        self.owner = os.getpid()
        self._timer: asyncio.Handle | None = None
        self._arriving = False
        self._waiting: threading.Thread | None = None
        self.channel, theirs = socket.socketpair()
        try:
            self.process = _starter().submit(_start, theirs.fileno()).result()
        except (OSError, RuntimeError) as error:
            self.channel.close()
            raise OpcodeError(
                ErrorCode.EXECUTION_ERROR, f"{name}: its process cannot start: {error}"
            ) from None
        finally:
            theirs.close()
        path = [str(Path(folder).absolute()) for folder in sys.path]
        setup = dumps({"parent": self.owner, "path": path, **bounds})
        with contextlib.suppress(OSError):  # it has ended already: the first call will see that
            self.channel.sendall(LENGTH.pack(len(setup)) + setup)
        self.channel.setblocking(False)

    def usable(self) -> bool:
        """Whether it is there, and ours: after a fork it is the parent's."""
        return self.owner == os.getpid() and self.process.poll() is None

    # As part of an event loop.

    async def send(self, loop: asyncio.AbstractEventLoop, frame: bytes) -> None:
        """Give it something to do.

        Raises:
            OSError: the process has ended.
        """
        self._arm(loop, TRANSFER_SECONDS)
        await loop.sock_sendall(self.channel, frame)

    async def receive(self, loop: asyncio.AbstractEventLoop, seconds: float, most: int) -> tuple[int, bytes]:
        """The next answer: its flags and its body. The process is killed when there is none in time.

        Raises:
            OSError: the process has ended, by itself or, then it is `late`, because it was killed.
        """
        self._arriving = False
        self._arm(loop, seconds)
        flags, length = _HEADER.unpack(await self._read(loop, _HEADER.size))
        return flags, await self._read(loop, _checked(length, most))

    def disarm(self) -> None:
        """The call is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self.disarm()
        self._timer = loop.call_later(seconds, self._due, loop)

    def _due(self, loop: asyncio.AbstractEventLoop) -> None:
        # The loop may have been kept busy, with the answer waiting to be read: let it be read first.
        self._timer = loop.call_soon(self._overdue, loop)

    def _overdue(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._arriving and _readable(self.channel):
            self._arriving = True
        elif not self._arriving:
            self._give_up()
            return
        self._timer = loop.call_later(TRANSFER_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self.late = True
        self.kill()  # which ends what waits for its answer

    async def _read(self, loop: asyncio.AbstractEventLoop, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = await loop.sock_recv(self.channel, min(size - len(data), MIB))
            if not part:
                raise ConnectionResetError
            self._arriving = True
            data += part
        return bytes(data)

    # Blocking.

    def exchange_blocking(self, frame: bytes, deadline: float, most: int) -> tuple[int, bytes]:
        """Send `frame` and wait for the answer until `deadline`."""
        self.channel.settimeout(_left(deadline))
        self.channel.sendall(frame)
        return self.receive_blocking(deadline, most)

    def receive_blocking(self, deadline: float, most: int) -> tuple[int, bytes]:
        """The next answer, waited for until `deadline`."""
        flags, length = _HEADER.unpack(self._read_blocking(_HEADER.size, deadline))
        body = self._read_blocking(_checked(length, most), deadline)
        self.channel.setblocking(False)
        return flags, body

    def _read_blocking(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            self.channel.settimeout(_left(deadline))
            part = self.channel.recv(min(size - len(data), MIB))
            if not part:
                raise ConnectionResetError
            data += part
        return bytes(data)

    # Its end.

    async def returncode(self) -> int | None:
        """How it ended; asked when its end of the channel is closed, so it takes no time."""
        for _ in range(200):
            returncode = self.process.poll()
            if returncode is not None:
                return returncode
            await asyncio.sleep(0.005)
        return None

    def end(self) -> "threading.Thread | None":
        """Be done with it; the thread, if any, that waits for its end."""
        self.channel.close()
        return self.kill()

    def kill(self) -> "threading.Thread | None":
        """Kill it; the thread, if any, that waits for its end."""
        if self._waiting is not None:
            return self._waiting
        if self.owner != os.getpid():
            self.process.returncode = 0  # the parent's to wait for
            return None
        if self.process.poll() is not None:
            return None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        # Freeing its memory takes the system a while, in which an event loop has better things to do.
        waiting = threading.Thread(target=self.process.wait, name="guarded-end", daemon=True)
        try:
            waiting.start()
        except RuntimeError:  # the interpreter is ending
            self.process.wait()
            return None
        self._waiting = waiting
        return waiting


def _start(channel: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-W", "ignore", child.__file__],
        stdin=channel,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=_NOTHING,
        process_group=0,  # and no session, which Linux would give as much of the processors as the program's
    )


def _starter() -> ThreadPoolExecutor:
    """One thread that starts all processes and stays: Linux ends them with the thread that started them."""
    return _starters.setdefault(os.getpid(), ThreadPoolExecutor(1, "guarded-start"))


_starters: dict[int, ThreadPoolExecutor] = {}
"""By process, because a fork has no threads but its own."""


def end_all(workers: set[Worker]) -> None:
    """End all of them, and wait until they have ended."""
    ending = [worker.end() for worker in list(workers)]
    workers.clear()
    wait_for(ending)


def wait_for(ending: "list[threading.Thread | None]") -> None:
    """Until these threads, which wait for ends, have seen them."""
    for thread in ending:
        if thread is not None:
            thread.join(5)


def _readable(channel: socket.socket) -> bool:
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    return bool(poll.poll(0))


def _checked(length: int, most: int) -> int:
    if length > most + 64 * 1024:
        raise ConnectionResetError
    return length


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
