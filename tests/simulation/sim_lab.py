"""The actions of simulated workflows. They take virtual time, fail by plan, and report each call."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sim_process import PROCESS, Process

from opcode_core import ActionContext, ErrorCode, OpcodeError, RunEnded, action, hookimpl


class PlannedError(Exception):
    """Not one of the engine's own."""


class Laboratory:
    """A plugin that all simulated processes share; each history sets what it wants to be told.

    Attributes:
        called: an action is called.
        kills: whether a call of a poisonous action, which kills so many processes, kills this one.
        published: observers are told of committed events.
    """

    def __init__(self) -> None:
        self.called: Callable[[Process, ActionContext, str], None] = lambda *_: None
        self.kills: Callable[[Process, ActionContext, int], bool] = lambda *_: False
        self.published: Callable[[Process | None, Any], None] = lambda *_: None

    @hookimpl
    def opcode_observers(self) -> list:
        return [self]

    def committed(self, events: Any) -> None:
        self.published(PROCESS.get(), events)

    def note(self, ctx: ActionContext, effect: str) -> None:
        process = PROCESS.get()
        assert process is not None
        self.called(process, ctx, effect)

    @hookimpl
    def opcode_actions(self) -> list:
        lab = self

        @action("sim.pure", effect="pure")
        def pure(ctx: ActionContext, value: Any = None, times: int = 0, code: str = "EXECUTION_ERROR") -> Any:
            lab.note(ctx, "pure")
            fail(ctx, times, code)
            return value

        @action("sim.work", effect="idempotent")
        async def work(
            ctx: ActionContext,
            value: Any = None,
            takes: float = 0,
            times: int = 0,
            code: str = "EXECUTION_ERROR",
        ) -> Any:
            lab.note(ctx, "idempotent")
            await asyncio.sleep(takes)
            fail(ctx, times, code)
            return value

        @action("sim.touch", effect="external")
        async def touch(
            ctx: ActionContext,
            value: Any = None,
            takes: float = 0,
            times: int = 0,
            code: str = "EXECUTION_ERROR",
        ) -> Any:
            lab.note(ctx, "external")
            await asyncio.sleep(takes)
            fail(ctx, times, code)
            return value

        @action("sim.stubborn", effect="idempotent")
        async def stubborn(ctx: ActionContext, takes: float = 1, value: Any = None) -> Any:
            """Does not let itself be cancelled at once."""
            lab.note(ctx, "idempotent")
            end = asyncio.get_running_loop().time() + takes
            while (left := end - asyncio.get_running_loop().time()) > 0:
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(left)
            return value

        @action("sim.poison", effect="idempotent")
        async def poison(ctx: ActionContext, deaths: int = 1) -> Any:
            """The process does not survive it."""
            lab.note(ctx, "idempotent")
            process = PROCESS.get()
            assert process is not None
            if lab.kills(process, ctx, deaths):
                process.dies_at = process.steps + 1
                await asyncio.sleep(1)
            return deaths

        @action("sim.child", effect="external")
        async def child(ctx: ActionContext, template: str, params: dict | None = None) -> Any:
            lab.note(ctx, "external")
            return RunEnded(await ctx.run.start_run(template, None, params or {}))

        @action("sim.emit", effect="idempotent")
        async def emit(ctx: ActionContext, value: Any = None) -> Any:
            lab.note(ctx, "idempotent")
            await ctx.run.emit("simulated", {"value": value})
            return value

        @action("sim.remember", effect="idempotent")
        async def remember(ctx: ActionContext, key: str = "k", value: Any = None) -> Any:
            lab.note(ctx, "idempotent")
            await ctx.run.update_context({key: value})
            return value

        return [value for value in locals().values() if hasattr(value, "params_schema")]


def fail(ctx: ActionContext, times: int, code: str) -> None:
    """Fail in the first `times` attempts."""
    if ctx.attempt <= times:
        if code == "plain":
            raise PlannedError(f"attempt {ctx.attempt}")
        raise OpcodeError(ErrorCode(code), f"planned failure of attempt {ctx.attempt}")
