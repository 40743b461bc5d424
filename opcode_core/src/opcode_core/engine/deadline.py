"""Work with an end: what overruns is cancelled, and what ignores that is left behind."""

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from opcode_core.stop import Stop

T = TypeVar("T")

GRACE = 2.0
"""Seconds that cancelled work has to clean up before nobody waits for it any more."""

_log = logging.getLogger("opcode.engine")
_left_behind: set["asyncio.Task[Any]"] = set()


async def within(seconds: float | None, work: Coroutine[Any, Any, T], name: str, stop: Stop) -> T:
    """The result of `work`; when it is given up, `stop` keeps what is left of it from going on.

    Raises:
        TimeoutError: when it takes longer than `seconds`, however it takes its cancellation.
    """
    if seconds is None:
        return await work
    if seconds <= 0:
        work.close()
        stop.request("its time is over")
        raise TimeoutError
    task = asyncio.create_task(work, name=name)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        late = not task.done()
        if not late and not task.cancelled():
            task.exception()  # looked at, also when nobody is left to hear of it
        if late:
            stop.request("its time is over")
            await stop_tasks({task})
    if late:
        raise TimeoutError
    return task.result()


async def stop_tasks(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancel and wait a moment; who is still running then is let go, with a line in the log."""
    running = set()
    for task in tasks:
        _left_behind.add(task)
        task.add_done_callback(_forget)
        if task.cancel():
            running.add(task)
    if running:
        _, stubborn = await asyncio.wait(running, timeout=GRACE)
        for task in stubborn:
            _log.warning("%s ignores its cancellation and is left to itself", task.get_name())


def _forget(task: "asyncio.Task[Any]") -> None:
    _left_behind.discard(task)
    if not task.cancelled():
        task.exception()
