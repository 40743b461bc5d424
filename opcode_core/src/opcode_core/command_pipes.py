"""The three pipes of a command, fed and read by the event loop."""

import asyncio
import contextlib
from typing import IO

GRACE = 1.0
"""Seconds that a pipe may stay open, and a killed process alive, before they are given up."""

Transport = asyncio.ReadTransport | asyncio.WriteTransport


class Pipe(asyncio.Protocol):
    """One end of a pipe: keeps the first `room` bytes that come out of it and discards the rest."""

    def __init__(self, room: int = 0) -> None:
        self.data = bytearray()
        self.truncated = False
        self.ended = asyncio.Event()
        self._room = room

    def data_received(self, data: bytes) -> None:
        """Keep what there is room for."""
        kept = data[: self._room - len(self.data)]
        self.data += kept
        self.truncated = self.truncated or len(kept) < len(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Nobody is at the other end any more."""
        self.ended.set()


class CommandPipes:
    """Our ends of a command's standard input, output and error.

    Args:
        stdin: None when the command gets nothing.
        max_output_bytes: how much of each output is kept.
    """

    def __init__(
        self, stdin: IO[bytes] | None, stdout: IO[bytes], stderr: IO[bytes], max_output_bytes: int
    ) -> None:
        self.stdin = Pipe()
        self.stdout = Pipe(max_output_bytes)
        self.stderr = Pipe(max_output_bytes)
        self._files = (stdout, stderr, stdin)
        self._attached: list[tuple[Transport, Pipe]] = []

    @property
    def truncated(self) -> bool:
        """Whether there was more output than is kept."""
        return self.stdout.truncated or self.stderr.truncated

    async def attach(self, stdin: bytes) -> None:
        """Begin to read, and to write `stdin`."""
        stdout, stderr, writable = self._files
        loop = asyncio.get_running_loop()
        for pipe, file in ((self.stdout, stdout), (self.stderr, stderr)):
            reading, _ = await loop.connect_read_pipe(lambda pipe=pipe: pipe, file)  # type: ignore[misc]
            self._attached.append((reading, pipe))
        if writable is not None:
            writing, _ = await loop.connect_write_pipe(lambda: self.stdin, writable)
            self._attached.append((writing, self.stdin))
            writing.write(stdin)
            writing.write_eof()

    async def drained(self) -> None:
        """Until both outputs end, but not longer than the grace: someone else may hold them open."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                for _, pipe in self._attached[:2]:
                    await pipe.ended.wait()

    def close(self) -> None:
        """Let go of what is still open."""
        for transport, pipe in self._attached:
            if pipe.ended.is_set():
                continue
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
            else:
                transport.close()
        # A transport closes its file; cancelled before all had one, the rest is ours to close.
        for file in self._files[len(self._attached) :]:
            if file is not None:
                file.close()
