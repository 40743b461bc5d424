"""Guarded processes: what others wrote is evaluated there, and a runaway ends there."""

import asyncio
import contextlib
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from opcode_core import guarded_child as child
from opcode_core.codec import dumps, loads
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.guarded_process import LENGTH, MIB, Worker, end_all, wait_for

START_SECONDS = 15.0
"""How long a process may take to start; it usually takes 30 ms."""

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
        self._idle: list[Worker] = []
        self._alive: set[Worker] = set()
        self._ending: list[threading.Thread] = []
        self._turns: dict[asyncio.AbstractEventLoop, _Turns] = {}
        weakref.finalize(self, end_all, self._alive)

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
        wait_for([*self._ending, *[worker.kill() for worker in busy]])
        end_all(idle)

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
        self, worker: "Worker", frame: bytes, loop: asyncio.AbstractEventLoop
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

    def _converse_blocking(self, worker: "Worker", frame: bytes, seconds: float) -> tuple[int, bytes]:
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
        return LENGTH.pack(len(body)) + body

    def _started(self, worker: "Worker", flags: int, body: bytes) -> None:
        if flags:
            raise self._failed(f"its process cannot start: {loads(body)[1]}")
        worker.ready = True

    def _result(self, worker: "Worker", flags: int, body: bytes) -> Any:
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

    def _take(self) -> "Worker":
        while True:
            try:
                worker = self._idle.pop()
            except IndexError:
                break
            if worker.usable():
                return worker
            self._drop(worker)
        worker = Worker(
            self.name,
            {
                "entry": self.entry,
                "seconds": self.seconds,
                "memory": self.memory,
                "output": self.output,
                "calls": self.calls,
            },
        )
        self._alive.add(worker)
        return worker

    def _drop(self, worker: "Worker") -> None:
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

    def _late(self, worker: "Worker", seconds: float) -> OpcodeError:
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

    def _crashed(self, worker: "Worker", returncode: int | None) -> OpcodeError:
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


class GuardedService:
    """An engine's guarded processes as a part of the program: begun by the first call, ended with the program.

    Args:
        name: the engine's.
        close: ends them, such as `Guarded.close`.
    """

    def __init__(self, name: str, close: Callable[[], None]) -> None:
        self.name = name
        self._close = close

    async def start(self) -> None:
        """Nothing: there are none before the first call."""

    async def stop(self) -> None:
        """End them."""
        self._close()


class _Turns:
    """Who may call, of all that want to in one event loop."""

    __slots__ = ("free", "users")

    def __init__(self, workers: int) -> None:
        self.free = asyncio.Semaphore(workers)
        self.users = 0
