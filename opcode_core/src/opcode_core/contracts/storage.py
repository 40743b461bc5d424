"""A storage: where runs are remembered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from opcode_core.decisions import Decision
from opcode_core.events import Event

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run's row: what lists and waiting callers need without reading its log.

    Times are seconds since the epoch. `definition_hash` names the definition that the run
    started with and keeps. `sequence` is that of its last event, 0 when it has none yet.

    `owner`: the process that drives it, None while it rests. `wakes_at`: when a resting run is to be
    looked at again by itself; None when it only waits for others, has ended, or has an owner.
    `fence` rises with each claim.

    `status`, `updated_at`, `sequence`, `completed_at`, `output`, `error`, `wakes_at` and `owner`
    follow the run; all else is fixed by its first commit, and a storage may ignore a later change of it.
    """

    id: str
    status: str
    definition_hash: str
    template_name: str | None
    template_version: str | None
    agent_id: str
    started_at: float
    updated_at: float
    sequence: int
    completed_at: float | None = None
    output: Any = None
    error: Mapping[str, Any] | None = None
    parent_id: str | None = None
    parent_step_id: str | None = None
    idempotency_key: str | None = None
    name: str | None = None
    wakes_at: float | None = None
    owner: str | None = None
    fence: int = 1


@dataclass(frozen=True, slots=True)
class Message:
    """Something that a run is to be told by who does not drive it; kept until a commit of the run takes it.

    Attributes:
        kind: a signal's type (`decision`, `data`, `cancel`, `retry`, `skip`), or `child` when the
            run that a step waits for has ended or waits itself.
    """

    id: str
    workflow_id: str
    kind: str
    step_id: str | None
    payload: Mapping[str, Any]
    agent_id: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Commit:
    """One transition of one run: new events and the row that follows from them.

    What is in a commit belongs to the storage from then on: nobody changes it afterwards.

    Attributes:
        run: the row after the events; `run.sequence` is the last event's, or the stored one
            when there are no events.
        events: all of this run, in order; the first goes on where the stored log ends (1 when
            nothing is stored), and none is left out.
        definition: the definition's JSON, kept under `run.definition_hash`, in the first commit of
            a run; None later, or when the storage has it already. What is stored under a hash stays.
        context: the keys of the workflow context that changed, with their new values; other keys
            stay as they are. A value is replaced as a whole. None when nothing changed.
        decisions: as they are now, those of this run that are new or changed.
        messages: to other runs; one whose id is already stored stays as it is.
        taken: ids of messages to this run that its events account for; they are deleted.
        snapshot: the state after the events in a form of the engine's own, in place of an older one.
    """

    run: RunRecord
    events: Sequence[Event]
    definition: bytes | None = None
    context: Mapping[str, Any] | None = None
    decisions: Sequence[Decision] = ()
    messages: Sequence[Message] = ()
    taken: Sequence[str] = ()
    snapshot: bytes | None = None


@dataclass(frozen=True, slots=True)
class TemplateRecord:
    """One version of a template, from 1; never changed once stored. `definition` is its JSON text."""

    name: str
    version: int
    definition_hash: str
    definition: bytes
    agent_id: str
    created_at: float
    description: str = ""
    input_schema: Mapping[str, Any] | None = None
    output_schema: Mapping[str, Any] | None = None
    triggers: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """Something that a part of the program remembers beside the runs: a token, an agent, a job, a notice.

    Attributes:
        shelf: what kind of thing it is; each part of the program has shelves of its own.
        key: its name on the shelf.
        value: JSON.
        version: 1 when it is put there first, one more with each change.
        updated_at: seconds since the epoch.
    """

    shelf: str
    key: str
    value: Any
    version: int
    updated_at: float


@dataclass(frozen=True, slots=True)
class Tally:
    """The runs of one agent in one status, and the events in their logs."""

    agent_id: str
    status: str
    runs: int
    events: int


@dataclass(frozen=True, slots=True)
class Work:
    """What runs did, as far as the log behind a place tells.

    Attributes:
        steps: how many completed.
        decisions: how many were asked for.
        place: where the log ended; what comes later is counted from there.
    """

    steps: int
    decisions: int
    place: int


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs: all that is given must hold; what is None does not restrict.

    `since`: started at that time or later.
    """

    status: str | None = None
    agent_id: str | None = None
    template_name: str | None = None
    parent_id: str | None = None
    since: float | None = None


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events: all that is given must hold; what is None does not restrict.

    `since`: happened at that time or later. `after`: with a greater sequence in its own run.
    """

    workflow_id: str | None = None
    step_id: str | None = None
    event_type: str | None = None
    since: float | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """Which decisions: all that is given must hold; what is None does not restrict.

    `agent_id`: those that this agent may answer: asked of it, or of nobody in particular.
    """

    status: str | None = None
    workflow_id: str | None = None
    agent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, and the cursor of the next page, None at the end.

    A cursor is opaque, URL-safe text. It goes with the method and the filter that it came from and
    stays good while rows are added: going on to the end, each row that was there is met exactly once.
    """

    items: Sequence[T] = field(default_factory=tuple)
    cursor: str | None = None


class Storage(Protocol):
    """The log and what is derived from it.

    Every method may raise OpcodeError STORE_ERROR, also before `open` and after `close`; none hides
    a failure; `details["busy"]` says that the same may succeed later. A method with a `limit` raises VALIDATION_ERROR when it is less than 1, or when
    the cursor is not one that the method gave.

    Payloads, outputs, errors, contexts and schemas are JSON, and come back equal: any text,
    lone surrogates included, integers of 64 bits, finite floats. A storage that writes them down
    refuses anything else with VALIDATION_ERROR. Ids, names, types and keys are text; a storage may
    refuse with VALIDATION_ERROR one that it cannot keep exactly (a lone surrogate, a NUL).
    """

    async def open(self) -> None:
        """Connect, and bring the schema up to date. Idempotent, and safe from two processes at once."""
        ...

    async def close(self) -> None:
        """Let go of everything. Idempotent. What was committed is there after the next `open`."""
        ...

    async def commit(self, commits: Sequence[Commit]) -> None:
        """Store all of it in one transaction, in the given order, or nothing.

        A run may occur more than once; each of its commits goes on where the one before ends.

        Raises:
            OpcodeError: CONFLICT when a sequence is already taken or leaves a gap, an event is
                another run's, `fence` is not the stored one (somebody else has claimed the run), or
                the idempotency key belongs to another run of the same agent;
                `details["workflow_id"]` is the run whose commit it was, for a fence
                `details["fence"]` the stored one, and for a key `details["existing_id"]` the run
                that has it. VALIDATION_ERROR for values that cannot be stored.
        """
        ...

    # -- who drives which run

    async def beat(self, owner: str, until: float) -> None:
        """Let `owner` count as living until that time, seconds since the epoch."""
        ...

    async def owners(self) -> Mapping[str, float]:
        """Everyone who ever beat and did not leave, and until when they count as living."""
        ...

    async def leave(self, owner: str) -> None:
        """Let `owner` count as dead from now on; unknown ones are ignored."""
        ...

    async def claim(self, run_ids: Sequence[str], owner: str, now: float) -> Sequence[RunRecord]:
        """Make `owner` drive those of the runs whose owner is None, itself or not living at `now`.

        The fence of each rises by one, so a commit of who drove it before is refused, and its
        `wakes_at` becomes None. What is given are the rows after that, in no particular order;
        runs that do not exist are left out.
        """
        ...

    async def orphans(self, now: float, limit: int = 100) -> Sequence[RunRecord]:
        """Runs whose owner is not None and not living at `now`, the oldest first."""
        ...

    async def due(self, now: float, limit: int = 100) -> Sequence[RunRecord]:
        """Runs whose `wakes_at` is not after `now`, the earliest first."""
        ...

    async def next_due(self, after: float) -> float | None:
        """The earliest `wakes_at` after that time, or None."""
        ...

    # -- messages to runs

    async def post(self, message: Message) -> None:
        """Keep a message until a commit takes it; one whose id is already stored stays as it is.

        Raises:
            OpcodeError: NOT_FOUND when there is no such run.
        """
        ...

    async def messages(self, workflow_id: str | None = None, limit: int = 100) -> Sequence[Message]:
        """Messages that nobody has taken, to that run or to all, the oldest first (then by id)."""
        ...

    async def drop(self, message_id: str) -> None:
        """Delete a message that came too late; unknown ones are ignored."""
        ...

    # -- reading

    async def run(self, run_id: str) -> RunRecord | None:
        """One run's row, or None."""
        ...

    async def run_by_key(self, agent_id: str, idempotency_key: str) -> RunRecord | None:
        """The run that was started with that key by that agent, or None."""
        ...

    async def runs(self, where: RunFilter, limit: int = 50, cursor: str | None = None) -> Page[RunRecord]:
        """Runs by (`started_at`, `id`), the greatest first."""
        ...

    async def tally(self) -> Sequence[Tally]:
        """How many runs there are, and how many events, for each agent and status, in that order."""
        ...

    async def work(self, after: int = 0) -> Work:
        """What is in the log behind that place; 0 is its beginning. Runs that were deleted are not in it."""
        ...

    async def events(self, where: EventFilter, limit: int = 100, cursor: str | None = None) -> Page[Event]:
        """Events of one run by sequence; without `workflow_id`, what was committed last comes first."""
        ...

    async def context(self, run_id: str) -> dict[str, Any]:
        """The workflow context as last committed; {} when it never changed."""
        ...

    async def snapshot(self, run_id: str) -> tuple[int, bytes] | None:
        """The latest snapshot of a run and the sequence that it stands for, or None."""
        ...

    async def decision(self, decision_id: str) -> Decision | None:
        """One decision, or None."""
        ...

    async def decisions(
        self, where: DecisionFilter, limit: int = 50, cursor: str | None = None
    ) -> Page[Decision]:
        """Decisions by (`created_at`, `id`), the smallest first: who waits longest comes first."""
        ...

    async def definition(self, definition_hash: str) -> bytes | None:
        """The definition with that hash, from a run or a template, or None."""
        ...

    async def add_template(self, template: TemplateRecord) -> TemplateRecord:
        """Store as the next version of its name (the given version is ignored) and give what was stored.

        Its definition is kept under its hash, so a run of it need not bring it along.
        """
        ...

    async def template(self, name: str, version: int | None = None) -> TemplateRecord | None:
        """That version, or the newest, or None."""
        ...

    async def templates(
        self, name: str | None = None, agent_id: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[TemplateRecord]:
        """The newest version of each template, by name; or every version of the named one, newest first.

        With `agent_id`, only the versions which that agent stored count.
        """
        ...

    # -- what else is remembered

    async def put(self, shelf: str, key: str, value: Any, now: float, *, version: int | None = None) -> Item:
        """Keep a value under a key, in place of an older one, and give the item as it is then.

        Args:
            now: becomes `updated_at`.
            version: of the item that is replaced, 0 when there must be none; None replaces whatever is there.

        Raises:
            OpcodeError: CONFLICT when the stored version is another; `details["version"]` is that one,
                0 when there is no such item.
        """
        ...

    async def item(self, shelf: str, key: str) -> Item | None:
        """One item, or None."""
        ...

    async def items(
        self,
        shelf: str,
        prefix: str = "",
        limit: int = 100,
        cursor: str | None = None,
        *,
        greatest_first: bool = False,
    ) -> Page[Item]:
        """The items whose key begins with `prefix`, by key (in the order of its UTF-8 bytes)."""
        ...

    async def remove(self, shelf: str, keys: Sequence[str]) -> int:
        """Delete items; how many of them were there."""
        ...

    # -- housekeeping

    async def purge(self, before: float, limit: int = 100) -> int:
        """Delete up to `limit` runs that are completed, failed or cancelled since before that time.

        With them go their events, contexts, decisions, snapshots and messages, and definitions that
        nothing else uses. A run stays while its parent, or another that it is the parent of, has not ended.
        How many runs were deleted is given; less than `limit` means that no more are left.
        """
        ...

    async def check(self) -> Sequence[str]:
        """What is wrong with the storage itself, in sentences for a person: damaged pages, events or
        decisions of runs that do not exist, logs with gaps, rows that do not fit their log's length."""
        ...
