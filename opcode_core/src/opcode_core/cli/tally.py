"""How far a long look at many runs has come, on standard error."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opcode_core.cli.problems import count

FIRST = 1.0
"""Seconds before anything is said: most looks are shorter."""


@contextmanager
def tally(what: str) -> Iterator[Callable[[int], None]]:
    """Gives what is to be called with the number of runs so far; on a terminal it is one line that changes."""
    live = sys.stderr is not None and sys.stderr.isatty()
    pause = 0.2 if live else 10.0
    due = time.monotonic() + max(FIRST, 0.0 if live else pause)
    shown = False

    def tell(runs: int) -> None:
        nonlocal due, shown
        if time.monotonic() < due:
            return
        due, shown = time.monotonic() + pause, True
        line = f"{what} {count(runs, 'run')} …"
        print(f"\r\x1b[K{line}" if live else line, end="" if live else "\n", file=sys.stderr, flush=True)

    try:
        yield tell
    finally:
        if shown and live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
