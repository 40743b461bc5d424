"""What the engine's tests share: words to write workflows with, a clock, and a laboratory of actions."""

import asyncio
import math
import threading
from collections import Counter, defaultdict
from typing import Any

from opcode_core import ActionContext, ErrorCode, OpcodeError, RunEnded, action, hookimpl

PATIENCE = 10.0
"""Seconds after which a test that waits for something to happen fails; on a healthy engine it is never waited."""


def step(step_id: str, action: str = "t.echo", params: dict | None = None, **fields: Any) -> dict:
    """An action step; `after` is short for `depends_on`."""
    return _step({"id": step_id, "action": action, "params": params or {}}, fields)


def echo(step_id: str, value: Any = None, **fields: Any) -> dict:
    """A step that gives `value`."""
    return step(step_id, "t.echo", {"value": step_id if value is None else value}, **fields)


def gate(step_id: str, **fields: Any) -> dict:
    """A step that ends when the test opens the gate of its name."""
    return step(step_id, "t.gate", {"name": step_id}, **fields)


def flow(step_id: str, kind: str, config: dict, **fields: Any) -> dict:
    """A step of another type."""
    return _step({"id": step_id, "type": kind, "config": config}, fields)


def condition(
    step_id: str, expression: str, branches: dict, default: list | None = None, **fields: Any
) -> dict:
    config = {"expression": expression, "branches": branches}
    return flow(step_id, "condition", config if default is None else {**config, "default": default}, **fields)


def for_each(step_id: str, over: Any, *body: dict, concurrency: int = 1, **fields: Any) -> dict:
    config = {"mode": "for_each", "over": over, "body": list(body), "concurrency": concurrency}
    if "max_iter" in fields:
        config["max_iter"] = fields.pop("max_iter")
    return flow(step_id, "loop", config, **fields)


def repeat(
    mode: str, step_id: str, condition: str, *body: dict, max_iter: int | None = None, **fields: Any
) -> dict:
    config = {"mode": mode, "condition": condition, "body": list(body)}
    return flow(step_id, "loop", config if max_iter is None else {**config, "max_iter": max_iter}, **fields)


def parallel(step_id: str, *branches: list, mode: str = "all", **fields: Any) -> dict:
    config = {"mode": mode, "branches": list(branches)}
    if "max_concurrency" in fields:
        config["max_concurrency"] = fields.pop("max_concurrency")
    return flow(step_id, "parallel", config, **fields)


def workflow(*steps: dict, **fields: Any) -> dict:
    return {"steps": list(steps), **fields}


def _step(made: dict, fields: dict) -> dict:
    if "after" in fields:
        fields["depends_on"] = fields.pop("after").split()
    return {**made, **fields}


class LabClock:
    """Time that passes when somebody sleeps; when `held`, only when the test says so."""

    def __init__(self) -> None:
        self.time = 1_000_000.0
        self.held = False
        self.slept: list[float] = []
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self._changed = asyncio.Event()

    def now(self) -> float:
        return self.time

    monotonic = now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if not self.held:
            self.time += seconds
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.time + seconds, woken))
        self._changed.set()
        await woken

    async def sleep_until(self, when: float) -> None:
        if self.held:
            if when > self.time:
                await self.sleep(when - self.time)
            return
        if when > self.time:
            self.slept.append(when - self.time)
        for _ in range(20):  # first all that can go on without time
            await asyncio.sleep(0)
        self.time = max(self.time, when)

    async def somebody_sleeps(self, count: int = 1) -> None:
        """Come back when that many sleep."""
        async with asyncio.timeout(PATIENCE):
            while sum(not woken.done() for _, woken in self._sleepers) < count:
                self._changed.clear()
                await self._changed.wait()

    def advance(self, seconds: float) -> None:
        self.time += seconds
        for until, woken in self._sleepers:
            if until <= self.time and not woken.done():
                woken.set_result(None)


class LabIds:
    """`run-1`, `run-2`, …, and a fraction that the test chooses."""

    def __init__(self) -> None:
        self.made = 0
        self.chance = 0.5

    def new(self) -> str:
        self.made += 1
        return f"run-{self.made}"

    def fraction(self) -> float:
        return self.chance


class Gate:
    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()


class Lab:
    """A plugin whose actions do what tests need, and remember what was done to them."""

    def __init__(self) -> None:
        self.gates: defaultdict[str, Gate] = defaultdict(Gate)
        self.calls: list[str] = []
        self.contexts: list[ActionContext] = []
        self.tries: Counter[str] = Counter()
        self.running = 0
        self.most_running = 0
        self.outcome: dict[str, str] = {}
        self.log_at_call: dict[str, list[str]] = {}
        self.stored_events: Any = None
        self.received: list[Any] = []
        self.thread_may_end = threading.Event()
        self.thread_began = threading.Event()

    # ---- for the test -------------------------------------------------------------------------

    async def reached(self, *names: str) -> None:
        """Come back when the gates of these names have been reached."""
        async with asyncio.timeout(PATIENCE):
            for name in names:
                await self.gates[name].reached.wait()

    def open(self, *names: str) -> None:
        for name in names:
            self.gates[name].opened.set()

    def release(self) -> None:
        """Let everybody go who may still be waiting."""
        self.thread_may_end.set()
        self.open(*self.gates)

    # ---- the actions --------------------------------------------------------------------------

    @hookimpl
    def opcode_actions(self) -> list:  # noqa: PLR0915
        lab = self

        @action("t.echo", effect="pure")
        def echo(value: Any = None) -> Any:
            return value

        @action("t.aecho", effect="idempotent")
        async def aecho(value: Any = None, ctx: ActionContext = None) -> Any:  # type: ignore[assignment]
            lab.calls.append(ctx.step_id)
            lab.received.append(value)
            return value

        @action("t.who", effect="pure")
        def who(ctx: ActionContext) -> dict:
            lab.contexts.append(ctx)
            return {"run": ctx.run_id, "step": ctx.step_id, "agent": ctx.agent_id, "attempt": ctx.attempt}

        @action("t.awho", effect="external")
        async def awho(ctx: ActionContext) -> dict:
            lab.contexts.append(ctx)
            return {"key": ctx.idempotency_key}

        @action("t.count", effect="pure")
        def count(ctx: ActionContext, name: str = "n") -> dict:
            lab.tries[name] += 1
            return {"n": lab.tries[name]}

        def flaky_once(name: str, times: int, code: str, value: Any) -> Any:
            lab.tries[name] += 1
            lab.calls.append(name)
            if lab.tries[name] <= times:
                raise OpcodeError(
                    ErrorCode(code), f"boom {lab.tries[name]}", details={"try": lab.tries[name]}
                )
            return value

        @action("t.flaky", effect="pure")
        def flaky(
            ctx: ActionContext, times: int = 10**9, code: str = "EXECUTION_ERROR", value: Any = None
        ) -> Any:
            return flaky_once(ctx.step_id, times, code, value)

        @action("t.aflaky", effect="idempotent")
        async def aflaky(
            ctx: ActionContext, times: int = 10**9, code: str = "EXECUTION_ERROR", value: Any = None
        ) -> Any:
            return flaky_once(ctx.step_id, times, code, value)

        @action("t.raise", effect="pure")
        def raise_(kind: str, message: str = "") -> Any:
            raise RAISED[kind](*([message] if message else []))

        @action("t.araise", effect="idempotent")
        async def araise(kind: str, message: str = "") -> Any:
            raise RAISED[kind](*([message] if message else []))

        @action("t.braise", effect="idempotent", blocking=True)
        def braise(kind: str, message: str = "") -> Any:
            raise RAISED[kind](*([message] if message else []))

        @action("t.weird", effect="pure")
        def weird(kind: str) -> Any:
            return WEIRD[kind]()

        @action("t.aweird", effect="idempotent")
        async def aweird(kind: str) -> Any:
            return WEIRD[kind]()

        @action("t.big", effect="pure")
        def big(size: int) -> Any:
            return "x" * size

        @action("t.mutate", effect="pure")
        def mutate(value: Any) -> Any:
            value["list"].append("mutated")
            value["new"] = value["inner"].pop("old")
            return value

        @action("t.kept", effect="pure")
        def kept() -> Any:
            lab.received.append(shared := {"list": [1]})
            return shared

        @action("t.gate", effect="idempotent")
        async def gate(name: str, fail: bool = False) -> Any:
            lab.calls.append(name)
            entered = lab.gates[name]
            lab.running += 1
            lab.most_running = max(lab.most_running, lab.running)
            entered.reached.set()
            try:
                await entered.opened.wait()
            except asyncio.CancelledError:
                lab.outcome[name] = "cancelled"
                raise
            finally:
                lab.running -= 1
            lab.outcome[name] = "ended"
            if fail:
                raise OpcodeError(ErrorCode.EXECUTION_ERROR, f"{name} failed")
            return name

        @action("t.stubborn", effect="idempotent")
        async def stubborn(name: str, cancellations: int = 10**9) -> Any:
            """Ends when its gate opens, or at its n-th cancellation, as if nothing had happened."""
            lab.calls.append(name)
            entered = lab.gates[name]
            entered.reached.set()
            ignored = 0
            while not entered.opened.is_set():
                try:
                    await entered.opened.wait()
                except asyncio.CancelledError:
                    ignored += 1
                    if ignored >= cancellations:
                        break
            lab.outcome[name] = "ended"
            return name

        @action("t.block", effect="idempotent", blocking=True)
        def block(value: Any = None) -> Any:
            lab.thread_began.set()
            lab.thread_may_end.wait(PATIENCE)
            return {"value": value, "thread": threading.current_thread() is not threading.main_thread()}

        @action("t.external", effect="external")
        async def external(ctx: ActionContext, value: Any = None, fail: bool = False) -> Any:
            lab.calls.append(ctx.step_id)
            lab.contexts.append(ctx)
            if lab.stored_events is not None:
                events = await lab.stored_events(ctx.run_id)
                lab.log_at_call[ctx.step_id] = [f"{event.event_type} {event.step_id}" for event in events]
            if fail:
                raise OpcodeError(ErrorCode.EXECUTION_ERROR, f"{ctx.step_id} failed")
            return value

        @action("t.hang", effect="external")
        async def hang(ctx: ActionContext) -> Any:
            """External, and ends when the gate of its step's name opens."""
            lab.contexts.append(ctx)
            lab.gates[ctx.step_id].reached.set()
            await lab.gates[ctx.step_id].opened.wait()

        @action("t.child", effect="external")
        async def child(ctx: ActionContext, template: str, params: dict | None = None) -> Any:
            return RunEnded(await ctx.run.start_run(template, None, params or {}))

        @action("t.emit", effect="idempotent")
        async def emit(ctx: ActionContext, event_type: str, payload: Any = None) -> Any:
            await ctx.run.emit(event_type, payload or {})

        @action("t.remember", effect="idempotent")
        async def remember(ctx: ActionContext, data: dict, run: str | None = None) -> Any:
            await ctx.run.update_context(data, run)

        @action("t.recall", effect="idempotent")
        async def recall(ctx: ActionContext, run: str | None = None) -> Any:
            return await ctx.run.read_context(run)

        @action("t.evaluate", effect="idempotent")
        async def evaluate(
            ctx: ActionContext, expression: str, engine: str | None = None, data: Any = None
        ) -> Any:
            return await ctx.run.evaluate(engine, expression, data)

        @action("t.notify", effect="idempotent")
        async def notify(ctx: ActionContext, message: str) -> Any:
            return await ctx.run.notify(message, {"n": 1})

        @action("t.typed", effect="pure")
        def typed(n: int, name: str = "") -> Any:
            return [n, name]

        @action("t.atyped", effect="idempotent")
        async def atyped(n: int) -> Any:
            return n

        return [value for value in locals().values() if hasattr(value, "params_schema")]


class SomeError(Exception):
    pass


RAISED: dict[str, Any] = {
    "plain": SomeError,
    "value": ValueError,
    "key": KeyError,
    "timeout": TimeoutError,
    "cancelled": asyncio.CancelledError,
    "exit": SystemExit,
    "stop": StopIteration,
    "recursion": RecursionError,
}


def _circle() -> list:
    circle: list = []
    circle.append(circle)
    return circle


async def _forgotten() -> None:
    """A coroutine that nobody awaits."""


WEIRD: dict[str, Any] = {
    "object": object,
    "set": lambda: {1, 2},
    "nan": lambda: math.nan,
    "hidden nan": lambda: {"a": [1, None, math.nan]},
    "infinity": lambda: {"a": math.inf},
    "bytes": lambda: b"raw",
    "numbered": lambda: {1: "one"},
    "huge": lambda: 2**64,
    "circle": _circle,
    "coroutine": _forgotten,
}
