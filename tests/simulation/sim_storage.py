"""The storage as one simulated process meets it: slow, refusing, and sometimes silent about what it did."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from sim_process import Process

from opcode_core import ErrorCode, OpcodeError
from opcode_core.memory import MemoryStorage

READING = frozenset(
    {
        "owners",
        "orphans",
        "due",
        "next_due",
        "messages",
        "run",
        "run_by_key",
        "runs",
        "tally",
        "work",
        "events",
        "context",
    }
    | {"snapshot", "decision", "decisions", "definition", "template", "templates", "item", "items", "check"}
)
SLOWEST = 25.0
"""Seconds that a call may take: longer than a process counts as living without a sign of life."""
TROUBLE = ("the database is locked", "the disk is full", "disk I/O error")


class Faults:
    """How bad the storage is; `off` when it is good again.

    Attributes:
        slow: how likely a call takes time.
        before: how likely a call fails and has done nothing.
        after: how likely a call has done its work and fails.
    """

    def __init__(self, random: Random, slow: float, before: float, after: float) -> None:
        self.random = random
        self.slow = slow
        self.before = before
        self.after = after
        self.off = False
        self.made = 0

    def delay(self) -> float | None:
        """Seconds that something takes, None for no time at all."""
        if self.off or self.random.random() >= self.slow:
            return None
        chance = self.random.random()
        if chance < 0.4:
            return 0.0
        if chance < 0.9:
            return self.random.random() * 0.02
        if chance < 0.995:
            return self.random.random() * 2.0
        return self.random.random() * SLOWEST

    def strikes(self, likely: float) -> bool:
        if self.off or not likely or self.random.random() >= likely:
            return False
        self.made += 1
        return True


class FaultyStorage:
    """One process's connection to the database that all of them share.

    Args:
        database: what is really stored.
        process: whose connection it is; it ends with it.
        done: told after each call that had an effect, with its name, arguments and result.
        failed: told of each call that was made to fail.
    """

    def __init__(
        self,
        database: MemoryStorage,
        process: Process,
        faults: Faults,
        done: Callable[[Process, str, tuple, Any], None],
        failed: Callable[[Process, str, str], None],
    ) -> None:
        self.database = database
        self.process = process
        self.faults = faults
        self.done = done
        self.failed = failed

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.database, name)

        async def call(*args: Any, **named: Any) -> Any:
            await self._pause()
            self._may_fail(name, "before", self.faults.before)
            if not self.process.alive:
                raise AssertionError("a dead process writes")
            result = await method(*args, **named)  # in one step: it never suspends
            if name not in READING:
                self.done(self.process, name, args, result)
            await self._pause()
            self._may_fail(name, "after", self.faults.after)
            return result

        self.__dict__[name] = call
        return call

    async def _pause(self) -> None:
        seconds = self.faults.delay()
        if seconds is not None:
            await asyncio.sleep(seconds)

    def _may_fail(self, name: str, when: str, likely: float) -> None:
        if name == "close" or not self.faults.strikes(likely):
            return
        self.failed(self.process, name, when)
        what = self.faults.random.choice(TROUBLE)
        raise OpcodeError(ErrorCode.STORE_ERROR, f"{what} ({name}, {when})")
