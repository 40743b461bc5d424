"""Tasks side by side in one place of a run."""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from opcode_core.engine.deadline import stop_tasks

if TYPE_CHECKING:
    from opcode_core.engine.run import Run


class Crew:
    """Begins tasks and tells when one of them ends or the run is woken; leaving it stops them all."""

    __slots__ = ("_ended", "_news", "_seen", "run", "tasks")

    def __init__(self, run: "Run") -> None:
        self.run = run
        self.tasks: set[asyncio.Task[None]] = set()
        self._ended: list[asyncio.Task[None]] = []
        self._news: asyncio.Future[None] | None = None
        self._seen = run.wakes

    async def __aenter__(self) -> Self:
        self.run.crews.add(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run.crews.discard(self)
        await stop_tasks(self.tasks)

    def begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Let `work` go on beside the others."""
        task = asyncio.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._has_ended)

    def _has_ended(self, task: "asyncio.Task[None]") -> None:
        self.tasks.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, also when another one's is raised
        self._ended.append(task)
        self.notice()

    def notice(self) -> None:
        """Something has changed."""
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def change(self) -> None:
        """Come back when a task has ended or the run was woken since the last time; raise what a task raised."""
        if not self._ended and self._seen == self.run.wakes:
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        self._seen = self.run.wakes
        ended, self._ended = self._ended, []
        for task in ended:
            task.result()
