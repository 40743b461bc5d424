"""What SIGINT and SIGTERM mean to a command that drives runs."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from opcode_core.cli.problems import FAILED, say

AT_ONCE = 1.0
"""Seconds that remain after the second signal, to kill what was started."""


@contextmanager
def interrupts() -> Iterator["asyncio.Future[int]"]:
    """The number of the first signal, once there is one. The next one, or one afterwards, ends the process."""
    loop, main = asyncio.get_running_loop(), asyncio.current_task()
    first: asyncio.Future[int] = loop.create_future()
    came = 0

    def asked(number: int, _: FrameType | None) -> None:
        nonlocal came
        came += 1
        if came == 1:
            loop.call_soon_threadsafe(first.set_result, number)
        elif came == 2:
            threading.Timer(AT_ONCE, _quit).start()
            if main is not None and not loop.is_closed():
                loop.call_soon_threadsafe(main.cancel)

    # Not by the loop's own handlers: those are not heard while a step keeps the loop busy.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, asked)
    try:
        yield first
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        came = max(came, 1)


def _quit() -> None:
    """Leave what does not let itself be stopped."""
    if sys.stderr.isatty():
        print("\x1b[?25h", file=sys.stderr)  # a live picture hides the cursor
    say("stopped at once")
    os._exit(FAILED)
