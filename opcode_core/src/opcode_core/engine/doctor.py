"""A look at everything that can be wrong: the storage, each run, the plugins, the isolator. It changes nothing."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from opcode_core.contracts.clock import Clock
from opcode_core.contracts.isolator import Isolator
from opcode_core.contracts.provider import Provided
from opcode_core.contracts.storage import DecisionFilter, EventFilter, Message, RunRecord, Storage
from opcode_core.decisions import PENDING
from opcode_core.engine.housekeeping import Tell, all_runs
from opcode_core.engine.owner import is_dead
from opcode_core.errors import OpcodeError
from opcode_core.folding import evolve
from opcode_core.isolation import ChosenIsolator
from opcode_core.issues import InvalidDefinition
from opcode_core.plugins.manager import PluginManager
from opcode_core.plugins.registry import Registry
from opcode_core.snapshot import thaw
from opcode_core.state import ACTIVE, CANCELLED, COMPLETED, RUN_ENDED, SUSPENDED, RunState

if TYPE_CHECKING:
    from opcode_core.engine.engine import Engine

LATE = 60.0
"""Seconds by which a run may be late, or a message unread, before it is a finding."""
PATIENCE = 5
"""Looks at a run that changes meanwhile; one that goes on so busily is not left by anybody."""
PAGE = 500
MOST_MESSAGES = 1000

BACKUP = "copy the database as it is, then restore a backup"
BELIEVE_LOG = "believe its log, which `opcode status {id}` shows; a backup may have both right"
RESUME = "opcode resume {id}"
GO_ON_OR_END = "opcode signal {id} retry, or opcode signal {id} cancel"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        area: `storage`, `log`, `left` (nobody goes on with it), `messages`, `plugins`, `tools` or `isolator`.
        what: a sentence.
        remedy: what to do, often a command line.
        workflow_id: the run that it is about, or None.
    """

    area: str
    what: str
    remedy: str
    workflow_id: str | None = None


def about_plugins(plugins: PluginManager) -> Iterator[Finding]:
    """Plugins that are installed and left out, and names that two of them offer."""
    registry = plugins.registry()
    for found in plugins.found.values():
        if found.state == "broken":
            remedy = f"reinstall {found.package or found.name}, or name {found.name} in OPCODE_PLUGINS_DENY"
            yield Finding("plugins", f"plugin {found.name} is broken: {found.error}", remedy)
    for collision in registry.collisions:
        yield Finding("plugins", str(collision), "name one of them in OPCODE_PLUGINS_DENY")


def about_providers(provided: Sequence[Provided]) -> Iterator[Finding]:
    """Tool servers that are down, and tools that nobody may call yet."""
    for one in provided:
        if one.health == "error":
            what = f"tool server {one.id} is down: {one.detail}"
            yield Finding("tools", what, f"when it is repaired: opcode tools restart {one.id}")
        if one.waiting:
            names = ", ".join(tool.name for tool in one.waiting[:5])
            what = f"{len(one.waiting)} of tool server {one.id}'s tools wait for approval ({names})"
            yield Finding("tools", what, f"opcode tools show {one.id}, then opcode tools approve {one.id}")


def about_isolator(registry: Registry) -> tuple[Isolator | None, list[Finding]]:
    """The isolator that is used here, and what is wrong when there is none."""
    try:
        return ChosenIsolator(registry.isolators).choice.isolator, []
    except OpcodeError as error:
        what = f"no isolator works, so shell.exec does not: {error.message}"
        return None, [Finding("isolator", what, "change the setting isolation, or what the machine allows")]
    except Exception as error:
        what = f"no isolator works, so shell.exec does not: {_why(error)}"
        return None, [Finding("isolator", what, "remove the isolator plugin that breaks")]


async def about_storage(engine: "Engine") -> Sequence[Finding]:
    """What the storage finds wrong with itself."""
    return [Finding("storage", fault, BACKUP) for fault in await engine.storage.check()]


class Owners:
    """Who lives among those that drive runs; the storage is asked anew about who seems dead."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._until: Mapping[str, float] = {}

    async def live(self, owner: str | None) -> bool:
        """Whether a process goes on under that name."""
        if owner is None or is_dead(owner):
            return False
        now = self._clock.now()
        if self._until.get(owner, now) <= now:
            self._until = await self._storage.owners()
        return self._until.get(owner, now) > now


class Runs:
    """Looks at every run.

    Args:
        engine: not started up.
        known: what the storage has said already; nothing is said twice.
        tell: is called with the number of runs so far.

    Attributes:
        runs, events: how many were looked at.
        open: how many runs have not ended.
    """

    def __init__(self, engine: "Engine", known: Sequence[str], tell: Tell) -> None:
        self.engine = engine
        self.storage = engine.storage
        self.tell = tell
        self._known = known
        self.runs = self.events = self.open = 0
        self._owners = Owners(engine.storage, engine.clock)

    async def findings(self) -> AsyncIterator[Finding]:
        """Whatever is wrong with any run, run by run, newest first."""
        async for row in all_runs(self.storage):
            findings = await self._settled_findings(row)
            is_known = bool(findings) and any(row.id in known for known in self._known)
            for finding in findings:
                if finding.area != "log" or not is_known:
                    yield finding
            self.runs += 1
            self.events += row.sequence
            self.open += row.status not in RUN_ENDED
            self.tell(self.runs)

    async def _settled_findings(self, row: RunRecord) -> list[Finding]:
        """A run that changes while it is looked at is looked at again: row and log are read one after the other."""
        current: RunRecord | None = row
        for _ in range(PATIENCE):
            if current is None:  # purged meanwhile
                return []
            looked_at = current
            findings = [finding async for finding in self._about(looked_at)]
            if not findings:
                break
            current = await self.storage.run(row.id)
            if current == looked_at:
                return findings
        return []

    async def _about(self, row: RunRecord) -> AsyncIterator[Finding]:
        state = RunState(row.id)
        try:
            fault = await self._fold(state)
        except OpcodeError as error:
            fault = f"its log cannot be read: {error.message}"
        if fault is not None:
            yield _finding("log", row.id, fault, BACKUP)
            return
        for what in _differences(row, state):
            yield _finding("log", row.id, what, BELIEVE_LOG)
        async for what in self._decision_differences(state):
            yield _finding("log", row.id, what, BELIEVE_LOG)
        if row.status not in RUN_ENDED:
            async for finding in self._about_open(row, state):
                yield finding
        async for finding in self._about_messages(row):
            yield finding

    async def _fold(self, state: RunState) -> str | None:
        """Fold the whole log into `state`; what is wrong with it, or with the snapshot beside it."""
        snapshot = await self.storage.snapshot(state.id)
        at, frozen = snapshot or (0, b"")
        while True:
            where = EventFilter(workflow_id=state.id, after=state.sequence)
            page = await self.storage.events(where, PAGE)
            for event in page.items:
                try:
                    evolve(state, event)
                except Exception as error:
                    return f"its log is damaged at event {event.sequence}: {_why(error)}"
                if event.sequence == at and not _is_snapshot_of(frozen, state):
                    return f"its snapshot at event {at} is not what its log says"
            if len(page.items) < PAGE:
                break
        return None if state.sequence else "its log is empty"

    async def _decision_differences(self, state: RunState) -> AsyncIterator[str]:
        stored: set[str] = set()
        cursor = None
        while True:
            page = await self.storage.decisions(DecisionFilter(PENDING, state.id), PAGE, cursor)
            stored.update(decision.id for decision in page.items)
            cursor = page.cursor
            if cursor is None:
                break
        for decision_id in stored - set(state.decisions):
            yield f"decision {decision_id} is stored as pending, but its log does not wait for it"
        for decision_id in set(state.decisions) - stored:
            yield f"its log waits for decision {decision_id}, which is not stored as pending"

    # ---- runs that nobody goes on with ----------------------------------------------------------

    async def _about_open(self, row: RunRecord, state: RunState) -> AsyncIterator[Finding]:
        try:
            await self.engine.plan_of(state)
        except InvalidDefinition as error:
            what = f"it cannot go on here: {error.issues[0]}"
            yield _finding("left", row.id, what, "install what it needs; see `opcode plugins list`")
        except OpcodeError as error:
            yield _finding("log", row.id, error.message, BACKUP)
        if row.owner is not None:
            if not await self._owners.live(row.owner):
                what = f"it is {row.status}, but the process that drove it is gone"
                yield _finding("left", row.id, what, RESUME)
        elif (idle := self._unattended(row, state)) is not None:
            yield _finding("left", row.id, idle, RESUME)
        elif row.status == SUSPENDED and not state.parked and state.held is None:
            yield _finding("left", row.id, "it is suspended, but waits for nothing", GO_ON_OR_END)
        async for lost in self._lost_children(state):
            yield _finding("left", row.id, lost, RESUME)

    def _unattended(self, row: RunRecord, state: RunState) -> str | None:
        """Why a resting run will not wake by itself, or did not."""
        if row.wakes_at is None:
            if row.status == ACTIVE:
                return "it is active, but nothing will wake it"
            if state.wakes_at is not None:
                return f"it waits until {_when(state.wakes_at)}, but nothing will wake it"
        elif row.wakes_at < self.engine.clock.now() - LATE:
            return f"it was due at {_when(row.wakes_at)}, and nobody went on with it"
        return None

    async def _lost_children(self, state: RunState) -> AsyncIterator[str]:
        """Steps that wait for a run which has ended, where nothing is under way that says so."""
        for step_id, step in state.steps.items():
            if step.status != SUSPENDED or step.waiting is None or step.waiting["for"] != "run":
                continue
            child = await self.storage.run(step.waiting["run_id"])
            if child is not None and child.status not in RUN_ENDED:
                continue
            if not await self.storage.messages(state.id, 1):
                ended = "which does not exist" if child is None else f"which is {child.status}"
                yield f"step {step_id} waits for run {step.waiting['run_id']}, {ended}"

    # ---- messages -------------------------------------------------------------------------------

    async def _about_messages(self, row: RunRecord) -> AsyncIterator[Finding]:
        messages = await self.storage.messages(row.id, MOST_MESSAGES)
        late = [message for message in messages if message.created_at < self.engine.clock.now() - LATE]
        if not late:
            return
        kinds = ", ".join(sorted({message.kind for message in late}))
        many = f"{len(late)} {'message was' if len(late) == 1 else 'messages were'}"
        if _too_late(row, late):
            what = f"{many} never delivered ({kinds}), and it has ended"
            yield _finding("messages", row.id, what, "opcode resume drops them")
        elif not await self._owners.live(row.owner):
            yield _finding("messages", row.id, f"{many} not delivered yet ({kinds})", RESUME)


def _too_late(row: RunRecord, messages: list[Message]) -> bool:
    if row.status in (COMPLETED, CANCELLED):
        return True
    return row.status in RUN_ENDED and all(message.kind == "child" for message in messages)


def _differences(row: RunRecord, state: RunState) -> Iterator[str]:
    """Where a row does not say what its log does."""
    if row.status != state.status:
        yield f"its row says that it is {row.status}, its log says {state.status}"
    if row.sequence != state.sequence:
        yield f"its row says that its log ends at event {row.sequence}, but it ends at {state.sequence}"
    if row.output != state.output:
        yield "its row has another output than its log"
    if row.error != state.error:
        yield "its row has another error than its log"


def _is_snapshot_of(frozen: bytes, state: RunState) -> bool:
    try:
        thawed = thaw(frozen)
    except (ValueError, KeyError, TypeError):  # it is damaged
        return False
    return thawed is None or thawed == state  # None: another version wrote it, and nobody reads it


def _finding(area: str, run_id: str, what: str, remedy: str) -> Finding:
    return Finding(area, f"run {run_id}: {what}", remedy.format(id=run_id), run_id)


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _why(error: Exception) -> str:
    return error.message if isinstance(error, OpcodeError) else f"{type(error).__name__}: {error}"
