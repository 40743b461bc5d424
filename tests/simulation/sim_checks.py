"""What must always hold: an auditor that sees every write and every call of an action."""

from collections.abc import Callable, Container
from dataclasses import fields
from typing import Any

from sim_machines import Machine
from sim_promises import broken_end, broken_promise

from opcode_core import ActionContext, Event, OpcodeError, dumps, loads
from opcode_core.contracts.storage import Commit, RunRecord
from opcode_core.decisions import PENDING
from opcode_core.folding import evolve
from opcode_core.memory import MemoryStorage
from opcode_core.snapshot import freeze, thaw
from opcode_core.state import RUNNING, STEP_ENDED, SUSPENDED, RunState


class Auditor:
    """Folds every log a second time, from copies, and compares.

    Args:
        violated: told in a sentence what does not hold.
    """

    def __init__(self, database: MemoryStorage, violated: Callable[[str], None]) -> None:
        self.database = database
        self.violated = violated
        self.states: dict[str, RunState] = {}
        self.bodies: dict[str, list[bytes]] = {}
        self.made: dict[tuple[Any, ...], str] = {}
        self.posted: dict[str, str] = {}
        self.commits = 0

    # ---- writes -------------------------------------------------------------------------------

    def wrote(self, machine: Machine, name: str, args: tuple[Any, ...], result: Any) -> None:
        """After any call of the storage that changed something."""
        if name == "commit":
            for commit in args[0]:
                self.committed(machine, commit)
        elif name == "claim":
            for record in result:
                self.claimed(machine, record)
        elif name == "post":
            self.posted[args[0].id] = args[0].payload.get("mark", "")

    def claimed(self, machine: Machine, record: RunRecord) -> None:
        run = machine.engine.runs.live.get(record.id)
        if run is not None and not run.log.closed:
            self.violated(f"{machine} claims run {record.id}, which it already drives")

    def committed(self, machine: Machine, commit: Commit) -> None:
        self.commits += 1
        run_id = commit.run.id
        state = self.states.setdefault(run_id, RunState(run_id))
        forked = state.sequence == 0 and "forked_from" in commit.events[0].payload
        for event in commit.events:
            body = dumps([*event])
            self.bodies.setdefault(run_id, []).append(body)
            if not forked:  # what a fork takes over happened in another run
                self.may_follow(machine, state, event)
            try:
                evolve(state, Event(*loads(body)))
            except OpcodeError as error:
                self.violated(f"the stored log of {run_id} cannot be folded: {error}")
        self.check_taken(commit)
        self.compare_row(machine, state, commit)
        self.compare_decisions(state)
        self.compare_live(machine, state)

    def may_follow(self, machine: Machine, state: RunState, event: Event) -> None:
        world = machine.world
        step = world.steps.get((state.definition_hash, (event.step_id or "").rpartition(".")[2]), {})
        exact = not world.settings["jumps"] and not world.settings["skew"]
        if problem := broken_promise(state, event, step, exact):
            self.violated(f"{event.event_type} {event.step_id or ''} of run {state.id}: {problem}")

    def check_taken(self, commit: Commit) -> None:
        for message_id in commit.taken:
            mark = self.posted.get(message_id)
            if mark and not self.is_in_log(commit.run.id, mark):
                self.violated(f"message {message_id}, {mark}, was taken and left nothing in the log")

    def has_kept(self, run_id: str, mark: str) -> bool:
        """Whether what was said with a mark is, or was, stored as a message, or is in the log."""
        return mark in self.posted.values() or self.is_in_log(run_id, mark)

    def is_in_log(self, run_id: str, mark: str) -> bool:
        return any(f'"{mark}"'.encode() in body for body in self.bodies.get(run_id, ()))

    def compare_row(self, machine: Machine, state: RunState, commit: Commit) -> None:
        row = commit.run
        expected = {
            "status": state.status,
            "sequence": state.sequence,
            "output": state.output,
            "error": state.error,
            "completed_at": state.ended_at,
            "updated_at": state.updated_at,
            "started_at": state.started_at,
            "agent_id": state.agent_id,
            "parent_id": state.parent_id,
            "parent_step_id": state.parent_step_id,
            "idempotency_key": state.idempotency_key,
            "definition_hash": state.definition_hash,
        }
        if row.owner is None and commit.events and not machine.engine.closing:
            expected["wakes_at"] = state.wakes_at
        for field, value in expected.items():
            if getattr(row, field) != value:
                self.violated(
                    f"the row of {row.id} has {field} {getattr(row, field)!r}, its log says {value!r}"
                )
        if commit.context is not None and not commit.context.items() <= state.context.items():
            self.violated(f"the context stored for {row.id} is not that of its log")

    def compare_decisions(self, state: RunState) -> None:
        stored = self.database._decisions.values()
        pending = {d.id: d for d in stored if d.workflow_id == state.id and d.status == PENDING}
        if pending != state.decisions:
            self.violated(
                f"pending decisions of {state.id} are stored as {sorted(pending)}; in the log they are"
                f" {sorted(state.decisions)}"
            )

    def compare_live(self, machine: Machine, state: RunState) -> None:
        run = machine.engine.runs.live.get(state.id)
        if run is None or run.state.sequence != state.sequence:
            return
        if run.state != state:
            self.violated(
                f"the live state of {state.id} is not its folded log: {difference(run.state, state)}"
            )
        frozen = thaw(freeze(run.state))
        if frozen != run.state:
            self.violated(f"a snapshot of {state.id} loses something: {difference(frozen, run.state)}")

    # ---- calls --------------------------------------------------------------------------------

    def called(self, machine: Machine, ctx: ActionContext, effect: str) -> None:
        """When an action is called."""
        state = self.states.get(ctx.run_id)
        if ctx.run._run.log.fence != self.database._runs[ctx.run_id].fence:  # type: ignore[attr-defined]
            return  # another has taken it over while the process or its storage stood still; it does not know yet
        where = f"{machine} calls step {ctx.step_id} of {ctx.run_id}, attempt {ctx.attempt}"
        if state is not None:
            self.may_be_called(where, state, ctx, effect)
        call = (ctx.run_id, ctx.step_id, ctx.idempotency_key, ctx.attempt)
        if effect != "external":  # what was not stored before a failure of the storage is done again
            call = (*call, machine.name, ctx.run._run.log.fence)  # type: ignore[attr-defined]
        if call in self.made:
            self.violated(f"{where}, as {self.made[call]} did")
        self.made[call] = machine.name

    def may_be_called(self, where: str, state: RunState, ctx: ActionContext, effect: str) -> None:
        step = state.steps.get(ctx.step_id)
        live = ctx.run._run.state  # type: ignore[attr-defined]
        if live.ended or (effect == "external" and state.ended):
            self.violated(f"{where}, but the run is {state.status}")
        if live.held is not None:
            self.violated(f"{where}, but the run is held: {live.held}")
        known = effect == "external" or live.generation == state.generation
        if known and step is not None and step.status in STEP_ENDED:
            self.violated(f"{where}, but by the log it is {step.status}")
        if effect == "external" and (step is None or step.status != RUNNING or step.attempt != ctx.attempt):
            at = "nothing" if step is None else f"{step.status}, attempt {step.attempt}"
            self.violated(f"{where} before the log says so; it has {at}")

    # ---- the end ------------------------------------------------------------------------------

    def published(self, machine: Machine | None, events: Any) -> None:
        """When observers are told."""
        for event in events:
            state = self.states.get(event.workflow_id)
            if state is None or state.sequence < event.sequence:
                self.violated(
                    f"{machine} tells of {event.event_type} of {event.workflow_id} before it is stored"
                )

    def finish(self, innocent: Container[str]) -> None:
        """What is stored has not changed since; `innocent` runs never killed a process."""
        for run_id, log in self.database._logs.items():
            if [event.sequence for event in log] != list(range(1, len(log) + 1)):
                self.violated(f"the log of {run_id} has gaps")
            if [dumps([*event]) for event in log] != self.bodies[run_id]:
                self.violated(f"the log of {run_id} was changed after it had been stored")
            state = self.states[run_id]
            blamed = (state.error or {}).get("details") or {}
            if blamed.get("interruptions") and not blamed["steps"] and run_id in innocent:
                self.violated(f"run {run_id} is set aside; it did nothing when others killed the processes")
            if problem := broken_end(state, log):
                self.violated(f"run {run_id} {problem}")


def difference(one: Any, other: Any) -> str:
    """Where two dataclasses differ."""
    found = []
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if not field.compare or a == b:
            continue
        if field.name == "steps":
            for step_id in sorted({*a, *b}):
                if step_id not in a or step_id not in b:
                    found.append(f"step {step_id} is only in {'the second' if step_id in b else 'the first'}")
                elif a[step_id] != b[step_id]:
                    found.append(f"step {step_id}: {difference(a[step_id], b[step_id])}")
        else:
            found.append(f"{field.name}: {a!r} != {b!r}")
    return "; ".join(found)


def waits_for_somebody(state: RunState, states: dict[str, RunState]) -> bool:
    """Whether a suspended run has a reason to be so."""
    if state.held is not None or state.decisions:
        return True
    for step in state.steps.values():
        if step.status == SUSPENDED:
            kind = (step.waiting or {}).get("for")
            if kind in ("signal", "operator", "decision"):
                return True
            child = states.get(step.child or "")
            if kind == "run" and child is not None and child.status == SUSPENDED:
                return True
    return False
