"""A simulated operating system process: everything that runs in its context is its."""

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar, copy_context
from typing import Any

PROCESS: ContextVar["Process | None"] = ContextVar("process", default=None)
"""Whose code runs; None outside of all processes."""


class Died(Exception):
    """The process that was asked is no more."""


class Process:
    """A simulated operating system process.

    Attributes:
        steps: how many callbacks it has run.
        dies_at: the step that it does not live to see.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.steps = 0
        self.dies_at: int | None = None
        self.context = copy_context()
        self.context.run(PROCESS.set, self)
        self.paused = False
        self.backlog: list[asyncio.Handle] = []
        self.calls: dict[asyncio.Future[Any], Coroutine[Any, Any, Any]] = {}

    def __repr__(self) -> str:
        return self.name

    def on_death(self) -> None:
        """It is dead now."""
