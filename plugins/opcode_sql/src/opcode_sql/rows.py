"""Between the contract's records and the tables' rows."""

from dataclasses import dataclass
from typing import Any

from opcode_core import (
    Commit,
    ErrorCode,
    Event,
    OpcodeError,
    RunRecord,
    TemplateRecord,
    dumps,
    loads,
)

Row = tuple[Any, ...]


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
        return Prepared(commit, base, to_json(run.output), to_json(run.error), rows)
    except ValueError as error:
        raise _not_json(commit, error) from None


def to_json(value: Any) -> str | None:
    """The JSON of `value`; None for None, so that what is not there is NULL."""
    return None if value is None else dumps(value).decode()


def from_json(text: str | None) -> Any:
    """What `to_json` wrote."""
    return None if text is None else loads(text)


def run_row(item: Prepared) -> Row:
    """A row's values in the order of `statements.RUN_COLUMNS`."""
    run = item.commit.run
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
        item.output,
        item.error,
        run.parent_id,
        run.parent_step_id,
        run.idempotency_key,
    )


def run_changes(item: Prepared) -> Row:
    """The values of `statements.UPDATE_RUN`."""
    run = item.commit.run
    return (
        run.status,
        run.updated_at,
        run.sequence,
        run.completed_at,
        item.output,
        item.error,
        run.id,
        item.base,
    )


def run_of(row: Row) -> RunRecord:
    """The run in a row of `statements.RUN_COLUMNS`."""
    return RunRecord(*row[:10], *map(from_json, row[10:12]), *row[12:])


def event_of(row: Row) -> Event:
    """The event in a row of `statements.EVENT_COLUMNS`."""
    workflow_id, sequence, event_type, step_id, payload, agent_id, timestamp = row
    return Event(workflow_id, sequence, event_type, step_id, loads(payload), agent_id, timestamp)


def placed_event_of(row: Row) -> tuple[int, Event]:
    """The event in such a row that begins with its position, and the position."""
    return row[0], event_of(row[1:])


def context_of(row: Row) -> dict[str, Any]:
    """The context in a row of `statements.CONTEXT`."""
    return dict(loads(row[0]))


def definition_of(row: Row) -> bytes:
    """The definition in a row of `statements.DEFINITION`."""
    return bytes(row[0])


def template_row(template: TemplateRecord) -> Row:
    """The values of `statements.INSERT_TEMPLATE`."""
    return (
        template.name,
        template.version,
        template.definition_hash,
        template.agent_id,
        template.created_at,
        template.description,
        to_json(template.input_schema),
        to_json(template.output_schema),
        to_json(template.triggers),
    )


def template_of(row: Row) -> TemplateRecord:
    """The template in a row of `statements.TEMPLATE_COLUMNS`."""
    return TemplateRecord(*row[:7], *map(from_json, row[7:]))


def conflict(run_id: str, what: str, **details: str) -> OpcodeError:
    """A commit of that run does not follow from what is stored."""
    return OpcodeError(
        ErrorCode.CONFLICT, f"run {run_id}: {what}", details={"workflow_id": run_id, **details}
    )


def _not_in_line(run: RunRecord, event: Event, expected: int) -> OpcodeError:
    if event.workflow_id != run.id:
        return conflict(run.id, f"event {event.sequence} in its commit is of run {event.workflow_id}")
    return conflict(run.id, f"the log goes on with event {expected}, not {event.sequence}")


def _not_json(commit: Commit, error: ValueError) -> OpcodeError:
    parts = [("output", commit.run.output), ("error", commit.run.error)]
    parts += [(f"payload of event {event.sequence}", event.payload) for event in commit.events]
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
