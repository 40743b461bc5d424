"""An eye on one connection: what it sends too much of, what it says on standard error, and why it was lost."""

import asyncio
import logging
import time
from collections.abc import Callable

from opcode_core.hosting import printable, redact

MOST_MESSAGE = 8 * 1024 * 1024
"""Bytes of one message."""
MESSAGES, BURST = 1000.0, 5000.0
"""Messages a second, and at once, that are borne from one server."""
MOST_GARBAGE = 100
"""Lines on standard output that are no messages, before a server is given up."""
LINES, LINES_AT_ONCE = 20.0, 200.0
"""Lines a second, and at once, of a server's standard error that go to the log."""
MOST_TEXT = 500
"""Characters of what a server said, in a sentence of ours."""

_log = logging.getLogger("opcode.tools")


class Garbage(Exception):  # noqa: N818
    """What comes is not what a server of tools sends."""


class Bucket:
    """So many a second, and so many at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._at = burst, time.monotonic()

    def take(self) -> bool:
        """Whether there is one left."""
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Watch:
    """One connection, from its start to its end.

    Attributes:
        lost: set once it cannot be used any more.
        fault: why, when that is known.
        look: set when somebody thinks that the server should be looked at soon.
        closing: we end it ourselves.
        pid: its process, while there is one.
    """

    def __init__(self, server_id: str, on_lost: Callable[[str], None]) -> None:
        self.id = server_id
        self.lost = asyncio.Event()
        self._on_lost = on_lost
        self.look = asyncio.Event()
        self.fault: str | None = None
        self.closing = False
        self.pid: int | None = None
        self.secrets: frozenset[str] = frozenset()
        self._messages = Bucket(MESSAGES, BURST)
        self._lines = Bucket(LINES, LINES_AT_ONCE)
        self._garbage = 0
        self._unsaid = 0
        self._last = ""

    def give_up(self, why: str) -> None:
        """It is not to be used any more."""
        if self.fault is None:
            self.fault = self.shown(why)
            self.lost.set()
            self._on_lost(self.fault)

    def ended(self, code: int | None) -> None:
        """Its output has come to an end."""
        if self.closing:
            self.lost.set()
            return
        said = f": {self._last}" if self._last else ""
        self.give_up(
            f"it ended with exit code {code}{said}" if code is not None else f"it closed its output{said}"
        )

    def count_message(self) -> None:
        """Raise Garbage when there are too many."""
        if not self._messages.take():
            raise Garbage(f"it sends more than {MESSAGES:g} messages a second")

    def count_garbage(self, line: bytes) -> None:
        """Raise Garbage when there is too much."""
        self._garbage += 1
        if self._garbage > MOST_GARBAGE:
            raise Garbage("it writes what are no MCP messages on its standard output")
        if self._garbage <= 3:
            _log.warning("%s wrote what is no message: %s", self.id, self.shown(line))

    def said(self, line: bytes) -> None:
        """It wrote on its standard error."""
        if not line.strip():
            return
        self._last = self.shown(line)
        if not self._lines.take():
            self._unsaid += 1
            return
        more = f" (after {self._unsaid} more lines)" if self._unsaid else ""
        self._unsaid = 0
        _log.info("%s says%s: %s", self.id, more, self._last)

    def shown(self, text: bytes | str) -> str:
        """What somebody else said, fit for a line of ours."""
        if isinstance(text, bytes):
            text = text[: 4 * MOST_TEXT].decode("utf-8", "replace")
        return shortened(printable(str(redact(text, self.secrets))).replace("\n", " ").strip())


def shortened(text: str, most: int = MOST_TEXT) -> str:
    """At most so many characters of it."""
    return text if len(text) <= most else f"{text[:most]}…"
