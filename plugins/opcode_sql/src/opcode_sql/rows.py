"""Between the contract's records and the tables' rows."""

from typing import Any

from opcode_core import Decision, Event, Message, RunRecord, TemplateRecord, dumps, loads

Row = tuple[Any, ...]


def to_json(value: Any) -> str | None:
    """The JSON of `value`; None for None, so that what is not there is NULL."""
    return None if value is None else dumps(value).decode()


def from_json(text: str | None) -> Any:
    """What `to_json` wrote."""
    return None if text is None else loads(text)


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


def snapshot_of(row: Row) -> tuple[int, bytes]:
    """The snapshot in a row of `statements.SNAPSHOT`."""
    return row[0], bytes(row[1])


def decision_row(decision: Decision) -> Row:
    """The values of `statements.SET_DECISION`; what people and agents wrote is JSON, as any text fits in it."""
    return (
        decision.id,
        decision.workflow_id,
        decision.step_id,
        decision.target_agent_id,
        to_json(decision.prompt),
        to_json(decision.data),
        to_json(decision.options),
        to_json(decision.response_schema),
        decision.timeout_at,
        decision.fallback,
        decision.created_at,
        decision.status,
        to_json(decision.choice),
        to_json(decision.reasoning),
        to_json(decision.answer),
        decision.resolved_by,
        decision.resolved_at,
    )


def decision_of(row: Row) -> Decision:
    """The decision in a row of `statements.DECISION_COLUMNS`."""
    return Decision(*row[:4], *map(from_json, row[4:8]), *row[8:12], *map(from_json, row[12:15]), *row[15:])


def message_row(message: Message) -> Row:
    """The values of `statements.INSERT_MESSAGE`."""
    return (
        message.id,
        message.workflow_id,
        message.kind,
        message.step_id,
        to_json(message.payload),
        message.agent_id,
        message.created_at,
    )


def message_of(row: Row) -> Message:
    """The message in a row of `statements.MESSAGE_COLUMNS`."""
    message_id, workflow_id, kind, step_id, payload, agent_id, created_at = row
    return Message(message_id, workflow_id, kind, step_id, loads(payload), agent_id, created_at)


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
