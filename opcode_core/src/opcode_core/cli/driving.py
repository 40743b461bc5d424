"""Seeing a run through: it goes on in this process, is shown meanwhile, and is stopped in good order."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from opcode_core.cli.problems import DONE, FAILED, say
from opcode_core.cli.problems import SUSPENDED as EXIT_SUSPENDED
from opcode_core.engine.engine import Engine
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.events import Event
from opcode_core.plan import Plan
from opcode_core.state import ACTIVE, COMPLETED, SUSPENDED, RunState

GRACE = 10.0
"""Seconds that steps in flight have to end when the command is told to."""
HANDED_ON = 5.0
"""Seconds in which a parent takes up that its child has ended."""
CAUGHT_UP = 1.0
"""Seconds that the progress has to show what has happened already."""


@dataclass(frozen=True, slots=True)
class Seen:
    """How far a run was seen.

    Attributes:
        state: how it stands.
        stopped: the command was told to end; the run, if it is active, can be resumed.
    """

    state: RunState
    stopped: bool = False

    @property
    def exit_code(self) -> int:
        """That of the command."""
        if self.state.status == COMPLETED:
            return DONE
        return EXIT_SUSPENDED if self.state.status in (SUSPENDED, ACTIVE) else FAILED


class Driver:
    """Sees runs through, one after another.

    Args:
        ready: an engine that has the run, or will when it is due.
        first: is done when a signal comes.
        cancel_on: the signals that cancel the run; others leave it as it is.
        seconds: after which it is cancelled.
        quiet: show no progress.
    """

    def __init__(
        self,
        ready: Engine,
        first: "asyncio.Future[int]",
        *,
        cancel_on: Collection[int] = (),
        seconds: float | None = None,
        quiet: bool = False,
    ) -> None:
        self.ready = ready
        self.first = first
        self.cancel_on = cancel_on
        self.seconds = seconds
        self.quiet = quiet

    async def see(self, events: AsyncIterator[Event], title: str, plan: Plan, state: RunState) -> Seen:
        """See a run until it ends, waits for somebody, or a signal comes.

        Args:
            events: all that is committed from a moment at which `state` was true, or later.
            title: what it is called.
            plan: what it follows.
            state: how it stood; from now on it belongs to the progress.
        """
        run_id = state.id
        if self.quiet:
            return await self._settled(run_id)
        from opcode_core.cli.progress import Follower, progress

        async with progress(title, plan, state) as shown:
            follower = Follower(self.ready, run_id, state.sequence, shown)
            following = asyncio.create_task(follower.follow(events))
            try:
                seen = await self._settled(run_id)
                with suppress(TimeoutError):
                    await asyncio.wait_for(follower.reach(seen.state.sequence), CAUGHT_UP)
            finally:
                following.cancel()
            shown.finish(seen.state)
        return seen

    async def _settled(self, run_id: str) -> Seen:
        waiting = asyncio.ensure_future(self.ready.wait(run_id))
        try:
            either: list[asyncio.Future[Any]] = [waiting, self.first]
            await asyncio.wait(either, timeout=self.seconds, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return Seen(waiting.result())
        finally:
            waiting.cancel()
        if not self.first.done():
            return Seen(await self._cancel(run_id, f"it took longer than --timeout {self.seconds:g} s"))
        if self.first.result() in self.cancel_on:
            say(f"stopping run {run_id} … (once more: quit at once)")
            return Seen(await self._cancel(run_id, "interrupted"), stopped=True)
        return Seen(await self._left(run_id), stopped=True)

    async def _cancel(self, run_id: str, reason: str) -> RunState:
        try:
            return await self.ready.cancel(run_id, reason)
        except OpcodeError as error:
            if error.code is not ErrorCode.INVALID_TRANSITION:
                raise
            return await self.ready.state(run_id)  # it had ended by itself in the same moment

    async def _left(self, run_id: str) -> RunState:
        """Begin nothing new, wait for what is in flight, and see how the run stands then."""
        name = signal.Signals(self.first.result()).name
        say(f"{name}: steps in flight have {GRACE:g} s to end … (once more: quit at once)")
        await self.ready.shut_down(GRACE)
        await self.ready.storage.open()
        return await self.ready.state(run_id)

    @asynccontextmanager
    async def from_now(self, run_id: str) -> AsyncIterator[Callable[[], Awaitable[Seen]]]:
        """Note how a run stands that is not driven here yet; what is given sees it through from there."""
        from opcode_core.cli.tables import title_of
        from opcode_core.folding import fold

        async with self.ready.hub.subscribe() as events:
            state = fold(run_id, await self.ready.log(run_id))
            plan = await self.ready.plan_of(state)
            yield lambda: self.see(events, title_of(state), plan, state)

    async def see_above(self, seen: Seen) -> Seen:
        """See the runs through that waited for one which has ended; the outermost is what counts."""
        while not seen.stopped and seen.state.ended and (above := await self._above(seen.state)) is not None:
            async with self.from_now(above) as see:
                seen = await see()
        return seen

    async def _above(self, state: RunState) -> str | None:
        """The parent of a run that has ended, once it knows and if it goes on here."""
        if state.parent_id is None or not (self.ready.others or state.parent_id in self.ready.runs.own):
            return None
        storage, until = self.ready.storage, self.ready.clock.monotonic() + HANDED_ON
        while self.ready.clock.monotonic() < until:
            if not await storage.messages(state.parent_id, 1):
                break
            await asyncio.sleep(0.02)
        record = await storage.run(state.parent_id)
        if record is None or record.owner not in (None, self.ready.owner):
            return None
        return record.id
