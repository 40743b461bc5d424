"""One connection: what uvicorn does with it, and an end for those who send or read without end."""

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD = 64 * 1024
"""Bytes of a request's line and headers."""
HEAD, BODY = 15.0, 60.0
"""Seconds in which the head and the body of a request have to come."""
UNREAD = 30.0
"""Seconds after which a client that reads nothing of what is there for it is cut off."""
SPARE = 100
"""Files and connections of our own, for which descriptors are kept."""


def most_connections() -> int:
    """So many that their descriptors do not run out, which would keep the loop busy with failing."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(10_000, max(soft - SPARE, 8))


class Wire(HttpToolsProtocol):
    """Bounds that uvicorn leaves to a proxy in front of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head: int | None = 0  # bytes so far; None while a body comes
        self._timer: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it on, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > most_connections():
            transport.abort()
        else:
            self._arm(HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left to wait for."""
        self._disarm()
        self._reads_again()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Refuse a head that has no end."""
        if self._head is not None:
            self._head += len(data)
            if self._timer is None:
                self._arm(HEAD)
        super().data_received(data)
        if self._head is not None and self._head > MOST_HEAD and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()
            self.loop.call_later(UNREAD, self.transport.abort)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of the head; what comes behind a body is nobody's."""
        if self._head is not None:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Now the body."""
        self._head = None
        self._arm(BODY)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Now whatever the application takes, and then the next head."""
        self._head = 0
        self._disarm()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """More is on its way than the client takes."""
        super().pause_writing()
        self._wait_for_it(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """It has taken it."""
        self._reads_again()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Close what says nothing; what does not even read is not waited for."""
        super().timeout_keep_alive_handler()
        self.loop.call_later(UNREAD, self.transport.abort)

    def _wait_for_it(self, unread: int) -> None:
        self._stalled = self.loop.call_later(UNREAD, self._look_again, unread)

    def _look_again(self, before: int) -> None:
        unread = self.transport.get_write_buffer_size()
        if unread < before:  # slowly, but it does
            self._wait_for_it(unread)
        else:
            self.transport.abort()

    def _reads_again(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, self._too_slow)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        self.transport.abort()


_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
)
