"""A commit on its way into the database."""

from dataclasses import dataclass
from typing import Any

from opcode_core import Commit, ErrorCode, Event, OpcodeError, RunRecord, dumps
from opcode_sql.rows import Row, decision_row, message_row, to_json


@dataclass(frozen=True, slots=True)
class Prepared:
    """A commit, checked as far as it can be without the database, and its values ready to be bound.

    Attributes:
        base: the sequence at which the stored log must end.
    """

    commit: Commit
    base: int
    output: str | None
    error: str | None
    events: list[Row]
    decisions: list[Row]
    messages: list[Row]

    def run_row(self) -> Row:
        """The values of `statements.INSERT_RUN`."""
        run = self.commit.run
        return (
            run.id,
            run.status,
            run.definition_hash,
            run.template_name,
            run.template_version,
            run.agent_id,
            run.started_at,
            run.updated_at,
            run.sequence,
            run.completed_at,
            self.output,
            self.error,
            run.parent_id,
            run.parent_step_id,
            run.idempotency_key,
            run.name,
            run.wakes_at,
            run.owner,
            run.fence,
        )

    def run_changes(self) -> Row:
        """The values of `statements.UPDATE_RUN`."""
        run = self.commit.run
        return (
            run.status,
            run.updated_at,
            run.sequence,
            run.completed_at,
            self.output,
            self.error,
            run.wakes_at,
            run.owner,
            run.id,
            self.base,
            run.fence,
        )


def prepare(commit: Commit) -> Prepared:
    """Check and encode `commit`.

    Raises:
        OpcodeError: CONFLICT when its events are not one run's without holes, VALIDATION_ERROR for
            a value that is not JSON.
    """
    run, events = commit.run, commit.events
    base = expected = run.sequence - len(events)
    if events and events[-1].sequence != run.sequence:
        raise conflict(
            run.id,
            f"its row says that the log ends at event {run.sequence}, but the last one is {events[-1].sequence}",
        )
    for event in events:
        expected += 1
        if event.sequence != expected or event.workflow_id != run.id:
            raise _not_in_line(run, event, expected)
    if base < 0:
        raise conflict(run.id, f"its log begins with event {base + 1}, not 1")
    try:
        # The tuple in the columns' order; this line is half of what a commit costs.
        rows = [
            (workflow_id, sequence, kind, step, dumps(payload).decode(), agent, at)
            for workflow_id, sequence, kind, step, payload, agent, at in events
        ]
        return Prepared(
            commit,
            base,
            to_json(run.output),
            to_json(run.error),
            rows,
            [decision_row(decision) for decision in commit.decisions],
            [message_row(message) for message in commit.messages],
        )
    except ValueError as error:
        raise _not_json(commit, error) from None


def conflict(run_id: str, what: str, **details: str) -> OpcodeError:
    """A commit of that run does not follow from what is stored."""
    return OpcodeError(
        ErrorCode.CONFLICT, f"run {run_id}: {what}", details={"workflow_id": run_id, **details}
    )


def taken_over(run_id: str, fence: int) -> OpcodeError:
    """A commit of that run is from who drove it before; `fence` is the one of who drives it now."""
    return OpcodeError(
        ErrorCode.CONFLICT,
        f"run {run_id} is driven by somebody else since then",
        details={"workflow_id": run_id, "fence": fence},
    )


def _not_in_line(run: RunRecord, event: Event, expected: int) -> OpcodeError:
    if event.workflow_id != run.id:
        return conflict(run.id, f"event {event.sequence} in its commit is of run {event.workflow_id}")
    return conflict(run.id, f"the log goes on with event {expected}, not {event.sequence}")


def _not_json(commit: Commit, error: ValueError) -> OpcodeError:
    parts = [("output", commit.run.output), ("error", commit.run.error)]
    parts += [(f"payload of event {event.sequence}", event.payload) for event in commit.events]
    parts += [
        (f"{part} of decision {decision.id}", getattr(decision, part))
        for decision in commit.decisions
        for part in ("prompt", "data", "options", "response_schema", "choice", "reasoning", "answer")
    ]
    parts += [(f"payload of message {message.id}", message.payload) for message in commit.messages]
    where = next((name for name, value in parts if not _is_json(value)), "value")
    return OpcodeError(
        ErrorCode.VALIDATION_ERROR,
        f"run {commit.run.id}: the {where} cannot be stored: {error}",
        details={"workflow_id": commit.run.id},
    )


def _is_json(value: Any) -> bool:
    try:
        dumps(value)
    except ValueError:
        return False
    return True
