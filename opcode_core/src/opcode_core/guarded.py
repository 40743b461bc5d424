"""Guarded processes: what others wrote is evaluated there, and a runaway ends there."""

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
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from opcode_core import guarded_child as child
from opcode_core.codec import dumps, loads
from opcode_core.errors import ErrorCode, OpcodeError

MIB = 2**20

START_SECONDS = 15.0
"""How long a process may take to start; it usually takes 30 ms."""

TRANSFER_SECONDS = 10.0
"""How long what goes in, or an answer that has begun, may take to arrive."""

_LENGTH = struct.Struct("!I")
_HEADER = struct.Struct("!BI")
_NOTHING: dict[str, str] = {}
_CRASHES: dict[int, str] = {
    signal.SIGABRT: "memory",  # how C libraries give up when there is none
    signal.SIGSEGV: "depth",
    signal.SIGBUS: "memory",
    signal.SIGXCPU: "time",
}


class Guarded:
    """A function that is called in processes of its own, which are kept warm and can be killed.

    A process sees no environment, no files, no network, and dies with this one. It does one call
    at a time. When a call takes too long, needs too much memory or crashes its process, only that
    call fails, and the next one gets another process.

    Attributes:
        entry: `package.module:function`. The function takes JSON and returns JSON. All that it may
            ever need must be imported when its module is; that module should import little else.
            A SyntaxError that it raises becomes a VALIDATION_ERROR, a ValueError an
            EXECUTION_ERROR with its text, any other error the same with its type.
        name: how errors call it, such as `jq`.
        seconds: how long one call may take, once its process has started.
        memory: bytes that a process may take beside what it has when it starts.
        request, output: bytes of JSON that go in and come out.
        workers: how many processes are kept, and how many calls one event loop has in them at once.
        calls: after so many a process is replaced.
    """

    def __init__(
        self,
        entry: str,
        *,
        name: str = "",
        seconds: float = 1.0,
        memory: int = 256 * MIB,
        request: int = 8 * MIB,
        output: int = 8 * MIB,
        workers: int = 2,
        calls: int = 1000,
    ) -> None:
        self.entry = entry
        self.name = name or entry
        self.seconds = seconds
        self.memory = memory
        self.request = request
        self.output = output
        self.workers = workers
        self.calls = calls
        self._idle: list[_Worker] = []
        self._alive: set[_Worker] = set()
        self._ending: list[threading.Thread] = []
        self._turns: dict[asyncio.AbstractEventLoop, _Turns] = {}
        weakref.finalize(self, _end_all, self._alive)

    async def call(self, payload: Any) -> Any:
        """The function's answer to `payload`, both JSON. Being cancelled ends the call.

        Raises:
            OpcodeError: TIMEOUT_ERROR, VALIDATION_ERROR for what the function cannot read,
                EXECUTION_ERROR for every other failure.
        """
        frame = self._frame(payload)
        loop = asyncio.get_running_loop()
        turns = self._turns.get(loop) or self._turns.setdefault(loop, _Turns(self.workers))
        turns.users += 1
        try:
            async with turns.free:
                return await self._in_turn(frame, loop)
        finally:
            turns.users -= 1
            if not turns.users:  # a loop that has ended is not held on to
                self._turns.pop(loop, None)

    def ask(self, payload: Any, seconds: float) -> Any:
        """The same, but blocking: for what is quick and has to be known at once.

        It never waits for calls that are under way; when all processes are at work, it starts one.

        Raises:
            OpcodeError: as `call` does; TIMEOUT_ERROR after `seconds`.
        """
        frame = self._frame(payload)
        worker = self._take()
        try:
            flags, body = self._converse_blocking(worker, frame, seconds)
        except BaseException:
            self._drop(worker)
            raise
        return self._result(worker, flags, body)

    def close(self) -> None:
        """End all processes, and the calls that are in them. A later call starts new ones."""
        idle, self._idle[:] = set(self._idle), []
        busy = self._alive - idle
        self._alive -= idle
        # The channel of a busy one is in its caller's hands, who sees that it has ended.
        _wait([*self._ending, *[worker.kill() for worker in busy]])
        _end_all(idle)

    # One call.

    async def _in_turn(self, frame: bytes, loop: asyncio.AbstractEventLoop) -> Any:
        worker = self._take()
        try:
            flags, body = await self._converse(worker, frame, loop)
        except BaseException:
            self._drop(worker)
            raise
        return self._result(worker, flags, body)

    async def _converse(
        self, worker: "_Worker", frame: bytes, loop: asyncio.AbstractEventLoop
    ) -> tuple[int, bytes]:
        try:
            if not worker.ready:
                self._started(worker, *await worker.receive(loop, START_SECONDS, self.output))
            await worker.send(loop, frame)
            return await worker.receive(loop, self.seconds, self.output)
        except OSError:
            if worker.late:
                raise self._late(worker, self.seconds if worker.ready else START_SECONDS) from None
            raise self._crashed(worker, await worker.returncode()) from None
        finally:
            worker.disarm()

    def _converse_blocking(self, worker: "_Worker", frame: bytes, seconds: float) -> tuple[int, bytes]:
        allowed = START_SECONDS
        try:
            if not worker.ready:
                self._started(worker, *worker.receive_blocking(time.monotonic() + allowed, self.output))
            allowed = seconds
            return worker.exchange_blocking(frame, time.monotonic() + allowed, self.output)
        except TimeoutError:
            raise self._late(worker, allowed) from None
        except OSError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(1)
            raise self._crashed(worker, worker.process.returncode) from None

    def _frame(self, payload: Any) -> bytes:
        try:
            body = dumps(payload)
        except ValueError as error:
            raise self._failed(f"it was given what is not JSON: {error}") from None
        if len(body) > self.request:
            raise self._failed(
                f"it was given {len(body) / MIB:.1f} MiB, and takes at most {self.request / MIB:g} MiB;"
                " give it only what it needs"
            )
        return _LENGTH.pack(len(body)) + body

    def _started(self, worker: "_Worker", flags: int, body: bytes) -> None:
        if flags:
            raise self._failed(f"its process cannot start: {loads(body)[1]}")
        worker.ready = True

    def _result(self, worker: "_Worker", flags: int, body: bytes) -> Any:
        if flags & child.LAST or len(self._idle) >= self.workers:
            self._drop(worker)
        else:
            self._idle.append(worker)
        if not flags & child.FAULT:
            return loads(body)
        kind, text = loads(body)
        if kind == "syntax":
            raise OpcodeError(ErrorCode.VALIDATION_ERROR, text, details={"engine": self.name})
        raise self._out_of_memory() if kind == "memory" else self._failed(text)

    # Processes.

    def _take(self) -> "_Worker":
        while True:
            try:
                worker = self._idle.pop()
            except IndexError:
                break
            if worker.usable():
                return worker
            self._drop(worker)
        worker = _Worker(self)
        self._alive.add(worker)
        return worker

    def _drop(self, worker: "_Worker") -> None:
        self._alive.discard(worker)
        ending = worker.end()
        if ending is not None:
            self._ending = [*filter(threading.Thread.is_alive, self._ending), ending]

    # Errors.

    def _failed(self, text: str) -> OpcodeError:
        return OpcodeError(ErrorCode.EXECUTION_ERROR, f"{self.name}: {text}", details={"engine": self.name})

    def _out_of_memory(self) -> OpcodeError:
        return self._failed(
            f"it needed more than {self.memory / MIB:g} MiB of memory;"
            " let the expression make less, or give it less data"
        )

    def _late(self, worker: "_Worker", seconds: float) -> OpcodeError:
        if not worker.ready:
            text = f"its process did not start within {seconds:g} s; is the machine overloaded?"
        else:
            text = (
                f"it was not done after {seconds:g} s and was ended;"
                " let the expression do less, or give it less data"
            )
        return OpcodeError(
            ErrorCode.TIMEOUT_ERROR, f"{self.name}: {text}", details={"engine": self.name, "seconds": seconds}
        )

    def _crashed(self, worker: "_Worker", returncode: int | None) -> OpcodeError:
        number = -(returncode or 0)
        kind = _CRASHES.get(number) if worker.ready else None
        if kind == "memory":
            return self._out_of_memory()
        if kind == "depth":
            return self._failed("its process crashed; most likely something is nested far too deeply")
        if kind == "time":
            return self._late(worker, self.seconds)
        how = f"exit code {returncode}"
        if number > 0:
            with contextlib.suppress(ValueError):
                how = signal.Signals(number).name
        return self._failed(f"its process ended before it answered ({how})")


class _Turns:
    """Who may call, of all that want to in one event loop."""

    __slots__ = ("free", "users")

    def __init__(self, workers: int) -> None:
        self.free = asyncio.Semaphore(workers)
        self.users = 0


class _Worker:
    """One process, and our end of the channel to it."""

    def __init__(self, guarded: Guarded) -> None:
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
                ErrorCode.EXECUTION_ERROR, f"{guarded.name}: its process cannot start: {error}"
            ) from None
        finally:
            theirs.close()
        setup = dumps(
            {
                "parent": self.owner,
                "entry": guarded.entry,
                "path": [str(Path(folder).absolute()) for folder in sys.path],
                "seconds": guarded.seconds,
                "memory": guarded.memory,
                "output": guarded.output,
                "calls": guarded.calls,
            }
        )
        with contextlib.suppress(OSError):  # it has ended already: the first call will see that
            self.channel.sendall(_LENGTH.pack(len(setup)) + setup)
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
        start_new_session=True,
    )


def _starter() -> ThreadPoolExecutor:
    """One thread that starts all processes and stays: Linux ends them with the thread that started them."""
    return _starters.setdefault(os.getpid(), ThreadPoolExecutor(1, "guarded-start"))


_starters: dict[int, ThreadPoolExecutor] = {}
"""By process, because a fork has no threads but its own."""


def _end_all(workers: set[_Worker]) -> None:
    """End all of them, and wait until they have ended."""
    ending = [worker.end() for worker in list(workers)]
    workers.clear()
    _wait(ending)


def _wait(ending: "list[threading.Thread | None]") -> None:
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
