"""Workers as their parent sees them: born, told what to do, killed, stopped, waited for."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from worker import Life

NURSERY = Path(__file__).parent / "nursery.py"
PATIENCE = 30.0
"""Seconds after which a worker that says nothing counts as hanging."""


class Died(Exception):
    """The worker died before it answered."""


class Refused(Exception):
    """The worker would not do it."""


class Nursery:
    """The process that workers are forked from; `folder` is for what it warms up with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.control, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._born: asyncio.Queue[tuple[int, asyncio.Future[int]]] = asyncio.Queue()
        self._deaths: dict[int, asyncio.Future[int]] = {}
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self.control.setblocking(False)
        there = self._theirs.fileno()
        command = (sys.executable, str(NURSERY), str(there), str(self.folder))
        self._process = await asyncio.create_subprocess_exec(*command, pass_fds=[there])
        self._theirs.close()
        self._listener = asyncio.create_task(self._listen(), name="nursery")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.cancel()
        await asyncio.wait({self._listener})
        self.control.close()
        await self._process.wait()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        while said := await loop.sock_recv(self.control, 200):
            match said.decode().split():
                case ["born", pid]:
                    status = self._deaths[int(pid)] = loop.create_future()
                    self._born.put_nowait((int(pid), status))
                case ["dead", pid, status]:
                    self._deaths.pop(int(pid)).set_result(int(status))

    async def bear(self, life: Life) -> "Process":
        """A new worker."""
        ours, theirs = socket.socketpair()
        async with self._turn:
            with theirs:
                socket.send_fds(self.control, [json.dumps(asdict(life)).encode()], [theirs.fileno()])
                pid, status = await self._born.get()
            lines, words = await asyncio.open_connection(sock=ours, limit=2**22)
            return Process(pid, status, lines, words)


class Process:
    """A worker.

    Attributes:
        status: how it ended, once it has.
        ready: set when it has said that it is.
        stopped: it stands still.
        leaving: it was told to quit.
    """

    def __init__(
        self,
        pid: int,
        status: "asyncio.Future[int]",
        lines: asyncio.StreamReader,
        words: asyncio.StreamWriter,
    ) -> None:
        self.pid = pid
        self.status = status
        self.born_at = time.time()
        self.ready = asyncio.Event()
        self.stopped = self.leaving = False
        self._words = words
        self._asked = 0
        self._answers: dict[str, asyncio.Future[str]] = {}
        self._reader = asyncio.create_task(self._read(lines), name=f"reader of {pid}")

    @property
    def is_dead(self) -> bool:
        return self.status.done()

    @property
    def takes_words(self) -> bool:
        return self.ready.is_set() and not self.stopped and not self.leaving

    async def ask(self, verb: str, *words: str) -> str:
        """What the worker answers.

        Raises:
            Died: when it dies first, or takes nothing any more because it quits.
            Refused: when it says so.
            TimeoutError: when it says nothing.
        """
        if self.leaving or self._reader.done() or self._words.is_closing():
            raise Died
        self._asked += 1
        number = str(self._asked)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._words.write(f"{' '.join((number, verb, *words))}\n".encode())
        try:
            async with asyncio.timeout(PATIENCE):
                said = await answer
        finally:
            self._answers.pop(number, None)
        kind, _, rest = said.partition(" ")
        if kind == "refused":
            raise Died if self.leaving else Refused(rest)
        return rest

    async def _read(self, lines: asyncio.StreamReader) -> None:
        try:
            while line := (await lines.readline()).decode().rstrip("\n"):
                number, _, said = line.partition(" ")
                if line == "ready":
                    self.ready.set()
                elif (answer := self._answers.pop(number, None)) is not None and not answer.done():
                    answer.set_result(said)
        except ConnectionError:
            pass
        finally:
            self._words.close()
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(Died())

    async def ready_or_dead(self) -> None:
        """Come back when it works, or never will."""
        async with asyncio.timeout(PATIENCE):
            ready = asyncio.create_task(self.ready.wait())
            await asyncio.wait({ready, self.status}, return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()

    def let_quit(self) -> None:
        """Tell it to come to its end."""
        self.leaving = True
        self._words.write(b"0 quit\n")

    async def quit(self) -> int:
        """Let it come to its end, and give its exit status."""
        self.let_quit()
        return await self.death()

    async def death(self) -> int:
        """Its exit status, once it has ended."""
        async with asyncio.timeout(PATIENCE):
            status = await asyncio.shield(self.status)
            await self._reader
            return status

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def stop(self) -> None:
        self.stopped = True
        self._send(signal.SIGSTOP)

    def go_on(self) -> None:
        self._send(signal.SIGCONT)
        self.stopped = False

    def _send(self, what: signal.Signals) -> None:
        if not self.is_dead:
            with suppress(ProcessLookupError):  # it has just died
                os.kill(self.pid, what)
