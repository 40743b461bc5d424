"""The runs that this process drives, and how others get there."""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opcode_core import events as e
from opcode_core.contracts.storage import Commit, EventFilter, Message, RunFilter, RunRecord
from opcode_core.engine import recovery, signals
from opcode_core.engine.deadline import stop_tasks
from opcode_core.engine.failure import LogFailed
from opcode_core.engine.run import Run
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.folding import evolve
from opcode_core.snapshot import thaw
from opcode_core.state import ACTIVE, CANCELLED, COMPLETED, RUN_ENDED, RunState

if TYPE_CHECKING:
    from opcode_core.engine.engine import Engine

_log = logging.getLogger("opcode.engine")

LOOK_AGAIN = 0.5
"""Seconds between looks at a run that this process does not drive."""
UNREADY = 60.0
"""Seconds after which a run that cannot be driven here is tried again."""
PLACES = 200
"""Runs that are taken into memory before one of them has left it again or a second has passed."""
PATIENCE = 10
"""Commits after which a run that always does something more is read from the storage."""
PAGE = 1000


class Runs:
    """Live runs by id, who waits for them, and the way of resting runs into memory.

    Attributes:
        own: runs that were begun or spoken to here; the only ones to go on with, unless the engine
            looks after others too.
    """

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.storage = engine.storage
        self.live: dict[str, Run] = {}
        self.own: set[str] = set()
        self._doubts: dict[str, tuple[float, float]] = {}  # when to look again, and the pause before that
        self._waiters: defaultdict[str, set[asyncio.Future[RunState | None]]] = defaultdict(set)
        self._gates: dict[str, asyncio.Lock] = {}
        self._at_gate: Counter[str] = Counter()
        self._errands: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(PLACES)

    # ---- life ---------------------------------------------------------------------------------

    def launch(self, run: Run) -> None:
        """Let a run go on by itself."""
        self.live[run.state.id] = run
        self.sure(run.state.id)
        if not self.engine.others:
            self.own.add(run.state.id)
        run.task = asyncio.create_task(run.drive(), name=f"run {run.state.id}")

    def paused(self, run: Run) -> None:
        """A run waits for others; if that is all, it is an answer to who waits for the run."""
        if run.settled:
            self._answer(run)

    def leaves(self, run: Run) -> None:
        """A run is no longer driven here."""
        run_id = run.state.id
        if self.live.get(run_id) is run:
            del self.live[run_id]
        if run.outcome is not None:
            if run.was_taken_over:
                self._look_again(run_id)
                return
            self.doubt(run_id)
        elif (due := run.state.wakes_at) is not None:
            self.engine.timers.arm(due)
        told = run.log.is_stored and (run.state.status != ACTIVE or self.engine.closing)
        if run.outcome is not None or told:
            self._answer(run)
        else:
            self._look_again(run_id)

    def doubt(self, run_id: str) -> None:
        """The storage may hold this process for the owner of a run that is not live: it is looked at again."""
        _, pause = self._doubts.get(run_id, (0.0, 0.5))
        pause = min(pause * 2, UNREADY)
        self._doubts[run_id] = (asyncio.get_running_loop().time() + pause, pause)

    def sure(self, run_id: str) -> None:
        """The run is live, or not this process's."""
        self._doubts.pop(run_id, None)

    def _answer(self, run: Run) -> None:
        for waiter in self._waiters.pop(run.state.id, ()):
            if waiter.done():
                continue
            if run.outcome is not None:
                waiter.set_exception(run.outcome)
            else:
                waiter.set_result(run.state if run.state.ended else run.state.copy())

    def _look_again(self, run_id: str) -> None:
        for waiter in self._waiters.pop(run_id, ()):
            if not waiter.done():
                waiter.set_result(None)

    async def shut_down(self, grace: float) -> None:
        """Let what is in flight end for `grace` seconds; the rest is left as the log has it."""
        for run in list(self.live.values()):
            run.wake()
            run.stop.rouse()
        tasks = [run.task for run in self.live.values() if run.task is not None]
        if tasks or self._errands:
            await asyncio.wait([*tasks, *self._errands], timeout=grace)
        await stop_tasks(self._errands)
        await stop_tasks([run.task for run in self.live.values() if run.task is not None])
        for run_id in list(self._waiters):
            self._look_again(run_id)

    # ---- waiting ------------------------------------------------------------------------------

    async def wait(self, run_id: str) -> RunState:
        """The state of a run once it has ended, or can only go on after a decision or a signal.

        Raises:
            OpcodeError: NOT_FOUND; STORE_ERROR when its log could not be written.
        """
        waiter: asyncio.Future[RunState | None]
        while True:
            run = self.live.get(run_id)
            if run is not None and run.settled:
                return run.state.copy()
            if run is None and (state := await self._settled(run_id)) is not None:
                return state
            waiter = asyncio.get_running_loop().create_future()
            self._waiters[run_id].add(waiter)
            try:
                if run is None or self.live.get(run_id) is not run:
                    await asyncio.wait({waiter}, timeout=LOOK_AGAIN)
                    if not waiter.done():
                        continue
                if (result := await waiter) is not None:
                    return result
            finally:
                self._forget_waiter(run_id, waiter)

    def _forget_waiter(self, run_id: str, waiter: "asyncio.Future[RunState | None]") -> None:
        waiters = self._waiters.get(run_id)
        if waiters is not None:
            waiters.discard(waiter)
            if not waiters:
                del self._waiters[run_id]

    async def heard(self, message: Message) -> None:
        """Come back when a message is delivered that another process may have to deliver."""
        while not self.engine.closing:
            left = await self.storage.messages(message.workflow_id)
            if all(other.id != message.id for other in left):
                return
            await asyncio.sleep(LOOK_AGAIN)

    async def _settled(self, run_id: str) -> RunState | None:
        record = await self.storage.run(run_id)
        if record is None:
            raise not_found(run_id)
        goes_on = record.status == ACTIVE or run_id in self._doubts
        if not goes_on or self.engine.closing:
            return await self.state(run_id)
        return None

    # ---- from the storage ---------------------------------------------------------------------

    async def state(self, run_id: str) -> RunState:
        """A run's state: the live one, once it is stored, or folded from its log.

        Raises:
            OpcodeError: NOT_FOUND.
        """
        run = self.live.get(run_id)
        seen = await _seen(run) if run is not None else None
        return seen or (await self._stored(run_id))[0]

    async def _stored(self, run_id: str) -> tuple[RunState, int]:
        """The state after all that is stored, and the sequence of the snapshot that it began with."""
        snapshot = await self.storage.snapshot(run_id)
        state = thaw(snapshot[1]) if snapshot is not None else None
        state = state or RunState(run_id)
        begin = state.sequence
        while True:
            where = EventFilter(workflow_id=run_id, after=state.sequence)
            page = await self.storage.events(where, limit=PAGE)
            for event in page.items:
                evolve(state, event)
            if len(page.items) < PAGE:
                break
        if state.sequence == 0:
            raise not_found(run_id)
        return state, begin

    @asynccontextmanager
    async def alone(self, run_id: str) -> AsyncIterator[None]:
        """One at a time: nobody else takes this run into memory meanwhile."""
        gate = self._gates.setdefault(run_id, asyncio.Lock())
        self._at_gate[run_id] += 1
        try:
            async with gate:
                yield
        finally:
            self._at_gate[run_id] -= 1
            if not self._at_gate[run_id]:
                del self._at_gate[run_id], self._gates[run_id]

    async def going_children(self, run_id: str) -> list[str]:
        """The runs that a run has begun and that have not ended."""
        going: list[str] = []
        cursor = None
        while True:
            page = await self.storage.runs(RunFilter(parent_id=run_id), limit=PAGE, cursor=cursor)
            going += [child.id for child in page.items if child.status not in RUN_ENDED]
            if (cursor := page.cursor) is None:
                return going

    async def bring(self, run_id: str, message: Message | None = None) -> Run | None:
        """A run in memory, with a message delivered; None when another process has it, or nobody knows it.

        Raises:
            OpcodeError: when the run cannot do what the message says, or cannot be driven here.
        """
        async with self.alone(run_id):
            run = await self._open(run_id)
            if run is None:
                if self.engine.closing:
                    raise shutting_down()
                run = await self._take(run_id)
                if run is not None:
                    try:
                        if message is not None:
                            signals.apply(run, message)
                    finally:  # what it refuses does not keep it from going on
                        self.launch(run)
            elif message is not None:
                signals.apply(run, message)
                run.wake()
            return run

    async def _open(self, run_id: str) -> Run | None:
        """The live run, if it still takes anything in."""
        while (run := self.live.get(run_id)) is not None and run.log.closed:
            assert run.task is not None
            await asyncio.wait({run.task})
        return run

    async def _take(self, run_id: str) -> Run | None:
        """A run that nobody drives, ready to be driven; one that cannot be is given back.

        Raises:
            OpcodeError: its log or its definition cannot be read here.
        """
        self.doubt(run_id)
        before = await self.storage.run(run_id)
        await self.engine.watch.begin()
        claimed = await self.storage.claim([run_id], self.engine.owner, self.engine.clock.now())
        if before is None or not claimed:
            self.sure(run_id)
            return None
        (record,) = claimed
        state, begin = await self._stored(run_id)
        try:
            plan = await self.engine.plan_of(state)
        except OpcodeError:
            await self._give_back(record)
            raise
        run = Run(self.engine, plan, state, fence=record.fence, snapshot_at=begin)
        if before.owner is not None and not recovery.is_at_rest(state):
            recovery.interrupted(run, self.engine.recovery)
        return run

    async def _give_back(self, record: RunRecord) -> None:
        again = self.engine.clock.now() + UNREADY if record.status == ACTIVE else None
        await self.storage.commit([Commit(replace(record, owner=None, wakes_at=again), ())])
        self.sure(record.id)
        if again is not None:
            self.engine.timers.arm(again)

    # ---- what is due, orphaned, or told -------------------------------------------------------

    async def wake(self, due: Sequence[RunRecord]) -> int:
        """Take resting runs into memory whose time has come; how many these were."""
        count = 0
        for record in due if self.engine.others else await self._own_due():
            if not self.engine.closing:
                count += await self._brought(record.id)
        return count

    async def _own_due(self) -> list[RunRecord]:
        """Those of the runs that were begun here; others may be due by the thousand."""
        records = [await self.storage.run(run_id) for run_id in self.own - self.live.keys()]
        now = self.engine.clock.now()
        return [
            record for record in records if record and record.wakes_at is not None and record.wakes_at <= now
        ]

    async def recover_orphans(self) -> None:
        """Take up the runs of processes that died; those that may have killed them come last and apart."""
        suspects: dict[str, None] = {}
        found = True
        while found and not self.engine.closing:
            found = False
            for record in await self.storage.orphans(self.engine.clock.now(), PAGE):
                if record.id not in suspects and await self._is_suspect(record.id):
                    suspects[record.id] = None
                elif record.id not in suspects:
                    found |= await self._brought(record.id)
        for run_id in suspects:
            if not self.engine.closing and await self._brought(run_id):
                await self._apart(run_id)

    async def _is_suspect(self, run_id: str) -> bool:
        """Whether several processes died in a row while this run went on and came no further."""
        where = EventFilter(workflow_id=run_id, event_type=e.WORKFLOW_INTERRUPTED)
        deaths = (await self.storage.events(where, limit=recovery.SUSPECT)).items
        if len(deaths) < recovery.SUSPECT:
            return False
        return (await self._stored(run_id))[0].interruptions >= recovery.SUSPECT

    async def _apart(self, run_id: str) -> None:
        """Wait until a run has left memory, or was long enough in it to show that it does no harm."""
        run = self.live.get(run_id)
        if run is not None and run.task is not None:
            await asyncio.wait({run.task}, timeout=1.0)

    async def retry_doubted(self) -> None:
        """Take up again what this process had to leave because its log could not be written."""
        now = asyncio.get_running_loop().time()
        for run_id in [run_id for run_id, (when, _) in self._doubts.items() if when <= now]:
            if not await self._brought(run_id) and run_id in self.live:
                self.sure(run_id)

    async def _brought(self, run_id: str) -> bool:
        """Whether a run that was at rest or orphaned is in memory now."""
        async with self.alone(run_id):
            if await self._open(run_id) is not None:
                return False
            try:
                run = await self._take(run_id)
            except OpcodeError as error:
                if error.code is ErrorCode.STORE_ERROR:
                    raise
                _log.error("run %s cannot go on: %s", run_id, error)
                return False
            if run is None:
                return False
            await self._launch_in_place(run)
            return True

    async def _launch_in_place(self, run: Run) -> None:
        """Launch when there is a place, or after a second: many come at once, and each takes memory."""
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._places.acquire()
        self.launch(run)
        assert run.task is not None
        run.task.add_done_callback(lambda _: self._places.release())

    def tell_soon(self, messages: Iterable[Message]) -> None:
        """Deliver messages that are stored; what fails is tried again with the next look at them."""
        for message in messages:
            self.errand(self.deliver(message), f"message {message.id}").add_done_callback(_log_failure)

    def errand(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        """Work that goes on whatever becomes of who asked for it."""
        task = asyncio.create_task(work, name=name)
        self._errands.add(task)
        task.add_done_callback(self._errand_done)
        return task

    def _errand_done(self, errand: "asyncio.Task[None]") -> None:
        self._errands.discard(errand)
        if not errand.cancelled():
            errand.exception()  # looked at, also when nobody waits for it any more

    async def deliver(self, message: Message) -> None:
        """Let a run receive a stored message, unless another process has the run."""
        if self.engine.closing:
            return
        record = await self.storage.run(message.workflow_id)
        if (
            record is None
            or record.status in _DEAF
            or (message.kind == "child" and record.status in RUN_ENDED)
        ):
            await self.storage.drop(message.id)
            return
        if not self.engine.others and record.id not in self.own:
            return
        try:
            await self.bring(record.id, message)
        except OpcodeError as error:
            if error.code is ErrorCode.STORE_ERROR:
                raise
            await self._drop_refused(message, error)

    async def _drop_refused(self, message: Message, error: OpcodeError) -> None:
        if self.engine.closing:  # it is not the run that refuses
            return
        _log.warning("run %s refused %s: %s", message.workflow_id, message.kind, error)
        await self.storage.drop(message.id)


async def _seen(run: Run) -> RunState | None:
    """A live run's state when all of it is stored; None when that does not come about."""
    with suppress(LogFailed):
        for _ in range(PATIENCE):
            await run.commit()
            if run.log.is_stored:
                return run.state.copy()
    return None


def _log_failure(errand: "asyncio.Task[None]") -> None:
    if not errand.cancelled() and (error := errand.exception()) is not None:
        _log.error("%s is not delivered yet: %s", errand.get_name(), error)


_DEAF = frozenset({COMPLETED, CANCELLED})


def shutting_down() -> OpcodeError:
    """Nothing new is taken on."""
    return OpcodeError(ErrorCode.CONFLICT, "nothing new is begun: the engine is shutting down")


def not_found(run_id: str) -> OpcodeError:
    """There is no such run."""
    return OpcodeError(ErrorCode.NOT_FOUND, f"there is no run '{run_id}'")
