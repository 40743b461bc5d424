"""How often the world was touched, held against what the logs say."""

from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from opcode_core import events as e
from opcode_core.events import Event
from opcode_core.folding import evolve
from opcode_core.state import RunState

BEGINS = frozenset({e.STEP_STARTED, e.STEP_RETRY_ATTEMPT})
ENDS = frozenset({e.STEP_COMPLETED, e.STEP_FAILED, e.STEP_SKIPPED, e.STEP_IGNORED})


class Call(NamedTuple):
    """A line of the ledger; `key` is the idempotency key, `what` is `begin` or `end`."""

    at: float
    pid: int
    key: str
    attempt: int
    effect: str
    what: str

    @property
    def run_id(self) -> str:
        return self.key.partition(":")[0]

    @property
    def step(self) -> str:
        """The run and the step, whatever the attempt group."""
        return self.key.rpartition(":")[0]

    def __str__(self) -> str:
        return f"{self.key}, attempt {self.attempt} in process {self.pid},"


def read_ledger(path: Path) -> list[Call]:
    """All lines so far."""
    calls = []
    for line in path.read_text().splitlines() if path.exists() else ():
        at, pid, key, attempt, effect, what = line.split("\t")
        calls.append(Call(float(at), int(pid), key, int(attempt), effect, what))
    return calls


class Attempts:
    """What the logs say of each step, by its idempotency key.

    Attributes:
        begun: when an attempt was recorded, by key and attempt.
        ended: when the step was recorded as ended.
        completed: the attempt that completed.
        interrupted: when an attempt was recorded as broken off by the death of its process.
    """

    def __init__(self, logs: Mapping[str, Sequence[Event]]) -> None:
        self.begun: dict[tuple[str, int], float] = {}
        self.ended: dict[str, float] = {}
        self.completed: dict[str, int] = {}
        self.interrupted: dict[tuple[str, int], float] = {}
        for run_id, log in logs.items():
            state = RunState(run_id)
            for event in log:
                evolve(state, event)
                self._note(state, event)

    def _note(self, state: RunState, event: Event) -> None:
        step = state.steps.get(event.step_id or "")
        if step is None:
            return
        key = f"{state.id}:{event.step_id}:{step.group}"
        if event.event_type in BEGINS:
            self.begun[key, step.attempt] = event.timestamp
        elif event.event_type in ENDS:
            self.ended[key] = event.timestamp
            if event.event_type == e.STEP_COMPLETED:
                self.completed[key] = step.attempt
        elif event.event_type == e.STEP_RETRYING and "interrupted" in event.payload:
            self.interrupted[key, step.attempt] = event.timestamp


def wrong_calls(calls: Sequence[Call], attempts: Attempts, deaths: Mapping[int, float]) -> Iterator[str]:
    """What was done that may not have been done.

    An external step is called once for each attempt that is in the log, and not before it is there;
    there is another attempt only when one failed, or when its process died. So a step in doubt is
    called at most once more for each death.

    Args:
        calls: the ledger.
        attempts: what all logs say, read after the ledger.
        deaths: when each process died, or was stopped for so long that others took over.
    """
    made: Counter[tuple[str, int]] = Counter()
    for call in calls:
        if call.what != "begin":
            continue
        if call.effect == "external":
            made[call.key, call.attempt] += 1
            yield from _before_the_log(call, attempts)
        yield from _after_the_end(call, attempts, deaths)
        yield from _interrupted_in_vain(call, attempts, deaths)
    yield from (
        f"{key}, attempt {n}, is called {count} times" for (key, n), count in made.items() if count > 1
    )


def _before_the_log(call: Call, attempts: Attempts) -> Iterator[str]:
    begun = attempts.begun.get((call.key, call.attempt))
    if begun is None:
        yield f"{call} is called, but the log does not know of it"
    elif begun > call.at:
        yield f"{call} is called before it was recorded"


def _after_the_end(call: Call, attempts: Attempts, stopped: Container[int]) -> Iterator[str]:
    """A process that stood still does late what it had begun before others took over; nobody can keep it from that."""
    if call.at > attempts.ended.get(call.key, call.at) and call.pid not in stopped:
        yield f"{call} is called after its end was recorded"


def _interrupted_in_vain(call: Call, attempts: Attempts, deaths: Mapping[int, float]) -> Iterator[str]:
    interrupted = attempts.interrupted.get((call.key, call.attempt))
    if (
        call.effect == "external"
        and interrupted is not None
        and not deaths.get(call.pid, interrupted + 1) <= interrupted
    ):
        yield f"{call} is taken for interrupted, but the process lives"


def not_done(calls: Sequence[Call], attempts: Attempts) -> Iterator[str]:
    """What is completed by the logs although no call came to its end; `calls` were read after the logs."""
    begun = {call.key for call in calls}
    ended = {(call.key, call.attempt) for call in calls if call.what == "end"}
    for key, attempt in attempts.completed.items():
        if key in begun and (key, attempt) not in ended:
            yield f"{key}, attempt {attempt}, is completed by the log, but was not done"


def called_twice(calls: Sequence[Call]) -> Iterator[str]:
    """Steps that must never be called again, because `on_crash` is `fail`."""
    once = Counter(call.step for call in calls if call.what == "begin" and call.step.endswith(":once"))
    yield from (
        f"{step} is called {count} times, though on_crash is fail"
        for step, count in once.items()
        if count > 1
    )


def other_keys(calls: Sequence[Call], repeats: Container[str]) -> Iterator[str]:
    """Steps with more than one idempotency key, in runs that do not repeat whole blocks."""
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for call in calls:
        if call.run_id not in repeats:
            keys[call.step].add(call.key)
    yield from (
        f"{step} is called with the keys {sorted(found)}" for step, found in keys.items() if len(found) > 1
    )
