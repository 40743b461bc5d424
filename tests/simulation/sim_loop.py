"""An event loop without real time: it jumps from timer to timer, and chance decides who runs first.

Every callback belongs to a process, by a context variable that tasks and timers inherit. So several
processes live in one loop, and any of them can be killed or paused between two of its steps.
"""

import asyncio
import heapq
import math
from collections.abc import Coroutine
from random import Random
from typing import Any

from sim_process import PROCESS, Died, Process

STEP = 1e-5
"""Virtual seconds that a callback takes."""
MOST_STEPS = 400_000
"""Callbacks after which nobody believes in an end any more."""
SWEEP = 3_000


class Stuck(Exception):
    """Nothing will ever happen again, or always the same."""


class SimulatedTask(asyncio.Task):
    """A task whose hash is its number, so that a set of tasks has the same order in every repetition."""

    def __init__(self, coro: Any, *, loop: "SimulatedLoop", **options: Any) -> None:
        self.number = loop.next_number()
        super().__init__(coro, loop=loop, **options)

    def __hash__(self) -> int:
        return self.number


class SimulatedFuture(asyncio.Future):
    """A future whose hash is its number."""

    def __init__(self, *, loop: "SimulatedLoop") -> None:
        self.number = loop.next_number()
        self.process = PROCESS.get()
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self.number


class SimulatedLoop(asyncio.BaseEventLoop):
    """Runs callbacks in an order that `random` chooses.

    Args:
        random: the only source of chance.
        order: `fifo` as asyncio does, `shuffle` what is ready together, or `pick` any that is ready.
    """

    def __init__(self, random: Random, order: str) -> None:
        super().__init__()
        self.random = random
        self.order = order
        self.steps = 0
        self.complaints: list[str] = []
        self.broken: BaseException | None = None
        self._now = 0.0
        self._numbers = 0
        self._swept = 0
        self._begun: list[asyncio.Handle] = []
        """What the callback that runs now has made ready."""
        self._futures: list[asyncio.Future[Any]] = []
        self._tasks: list[SimulatedTask] = []
        self.set_task_factory(self._new_task)
        self.set_exception_handler(self._complain)

    # ---- what asyncio asks of a loop ----------------------------------------------------------

    def time(self) -> float:
        return self._now

    def create_future(self) -> SimulatedFuture:
        future = SimulatedFuture(loop=self)
        self._futures.append(future)
        return future

    def next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._begun.append(handle)
        return handle

    def _new_task(self, loop: Any, coro: Any, **options: Any) -> SimulatedTask:
        task = SimulatedTask(coro, loop=self, **options)
        task.process = PROCESS.get() if "context" not in options else options["context"].get(PROCESS)
        self._tasks.append(task)
        return task

    def call_soon_threadsafe(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("there are no threads in a simulation")

    run_in_executor = call_soon_threadsafe

    def _asyncgen_finalizer_hook(self, agen: Any) -> None:
        """One that a dead process left behind is not even closed."""

    def _complain(self, _: Any, context: dict[str, Any]) -> None:
        self.complaints.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _run_once(self) -> None:
        ready = self._ready
        self._take_begun()
        if not ready:
            self._jump()
        self._move_due()
        if self.steps > MOST_STEPS:
            raise Stuck(f"no end after {MOST_STEPS} steps")
        if self.order == "pick":
            self._run_handle(self._picked())
            return
        batch = list(ready)
        ready.clear()
        if self.order == "shuffle":
            self.random.shuffle(batch)
        for handle in batch:
            self._run_handle(handle)
            if self._stopping:
                ready.extendleft(reversed(batch[batch.index(handle) + 1 :]))
                return

    def _take_begun(self) -> None:
        """Tasks that were woken together queue by their numbers: a set of other things has no order."""
        if len(self._begun) > 1:
            self._begun.sort(key=_number)
        self._ready.extend(self._begun)
        self._begun.clear()

    def _picked(self) -> asyncio.Handle:
        ready = self._ready
        if len(ready) > 1:
            ready.rotate(self.random.randrange(len(ready)))
        return ready.popleft()

    def _jump(self) -> None:
        """Let time pass until the next timer."""
        while self._scheduled and self._scheduled[0]._cancelled:
            heapq.heappop(self._scheduled)._scheduled = False
        if not self._scheduled:
            raise Stuck("nothing is ready and no timer is set")
        self._now = max(self._now, self._scheduled[0]._when)
        if self.steps - self._swept > SWEEP:
            self.sweep()

    def _move_due(self) -> None:
        scheduled = self._scheduled
        while scheduled and scheduled[0]._when <= self._now:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            if not handle._cancelled:
                self._ready.append(handle)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is dropped when its time comes."""

    def _run_handle(self, handle: asyncio.Handle) -> None:
        if handle._cancelled:
            return
        process = handle._context.get(PROCESS)
        if process is not None:
            if not process.alive:
                return
            if process.paused:
                process.backlog.append(handle)
                return
            process.steps += 1
            if process.steps == process.dies_at:
                self.kill(process)
                return
        self.steps += 1
        self._now += STEP
        handle._run()
        self._take_begun()
        if self.broken is not None:
            raise self.broken

    # ---- processes ----------------------------------------------------------------------------

    async def call(self, process: Process, work: Coroutine[Any, Any, Any], name: str) -> Any:
        """What `work` gives when a process does it.

        Raises:
            Died: when the process dies before.
        """
        if not process.alive:
            work.close()
            raise Died(process.name)
        done = self.create_future()
        process.calls[done] = work

        async def carry() -> None:
            try:
                result = await work
            except asyncio.CancelledError:
                done.done() or done.set_exception(AssertionError(f"{name} was cancelled"))
            except Exception as error:
                done.done() or done.set_exception(error)
            else:
                done.done() or done.set_result(result)

        self.create_task(carry(), name=name, context=process.context.copy())
        try:
            return await done
        finally:
            process.calls.pop(done, None)

    def pause(self, process: Process) -> None:
        """Let a process do nothing for now."""
        process.paused = True

    def go_on(self, process: Process) -> None:
        """End a pause."""
        process.paused = False
        backlog, process.backlog = process.backlog, []
        self._ready.extend(backlog)

    def kill(self, process: Process) -> None:
        """End a process here and now: nothing of it ever runs again."""
        if not process.alive:
            return
        process.alive = False
        process.backlog = []
        calls = dict(process.calls)
        for call in calls:
            if not call.done():
                call.set_exception(Died(process.name))
        process.context.run(self._bury, process)
        for work in calls.values():
            work.close()  # one that had not begun
        process.on_death()

    def _bury(self, process: Process) -> None:
        """Throw away its coroutines, without letting what they do in their last moment have any effect."""
        while mine := [task for task in self._tasks if task.process is process]:
            self._tasks = [task for task in self._tasks if task.process is not process]
            for task in mine:
                _throw_away(task)

    def throw_away(self) -> None:
        """End the loop and everything that is left in it."""
        self._ready.clear()
        self._begun.clear()
        self._scheduled.clear()
        for task in self._tasks:
            _throw_away(task)
        for future in self._futures:
            if future.done() and not future.cancelled():
                future.exception()
        self.close()

    def tasks_of(self, process: Process) -> list[str]:
        """The names of its tasks that have not ended."""
        return [task.get_name() for task in self._tasks if task.process is process and not task.done()]

    def unseen(self) -> list[str]:
        """Exceptions that nobody looked at."""
        return [
            f"{future!r}"
            for future in (*self._tasks, *self._futures)
            if future.done() and not future.cancelled() and future._log_traceback and _lives(future)
        ]

    def sweep(self) -> None:
        """Forget what has ended well, to keep the lists short."""
        self._swept = self.steps
        self._tasks = [task for task in self._tasks if not task.done() or task._log_traceback]
        self._futures = [f for f in self._futures if not f.done() or f._log_traceback]


def _number(handle: asyncio.Handle) -> float:
    return getattr(getattr(handle._callback, "__self__", None), "number", math.inf)


def _lives(future: Any) -> bool:
    return future.process is None or future.process.alive


def _throw_away(task: SimulatedTask) -> None:
    task._log_destroy_pending = False
    if task.done():
        if not task.cancelled():
            task.exception()
        return
    coro = task.get_coro()
    for _ in range(50):
        try:
            coro.close()
        except BaseException:
            continue
        break
