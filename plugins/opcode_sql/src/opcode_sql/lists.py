"""The SQL of lists: a filter and a cursor become conditions on the order's key."""

from dataclasses import dataclass, field
from typing import Any, Self

from opcode_core import DecisionFilter, ErrorCode, EventFilter, OpcodeError, RunFilter
from opcode_sql.cursors import decode
from opcode_sql.statements import (
    DECISION_COLUMNS,
    EVENT_COLUMNS,
    FREQUENT_EVENTS,
    MESSAGE_COLUMNS,
    RUN_COLUMNS,
    TEMPLATES,
)


@dataclass(slots=True)
class Select:
    """A SELECT that grows by conditions; the texts are this module's own, values are only bound."""

    table: str
    conditions: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def where(self, condition: str, *values: Any) -> Self:
        """Only rows of which `condition` holds."""
        self.conditions.append(condition)
        self.values.extend(values)
        return self

    def where_given(self, condition: str, value: Any) -> Self:
        """The same, unless `value` is None."""
        return self if value is None else self.where(condition, value)

    def first(self, order: str, limit: int) -> tuple[str, list[Any]]:
        """The SQL and its values for `limit` rows.

        Raises:
            OpcodeError: VALIDATION_ERROR when `limit` is less than 1.
        """
        check_limit(limit)
        where = f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""
        return f"{self.table}{where} ORDER BY {order} LIMIT ?", [*self.values, limit]

    def page(self, order: str, limit: int) -> tuple[str, list[Any]]:
        """The same for one row more, which tells whether a page follows."""
        check_limit(limit)
        return self.first(order, limit + 1)


def check_limit(limit: int) -> None:
    """Refuse to look for nothing.

    Raises:
        OpcodeError: VALIDATION_ERROR when `limit` is less than 1.
    """
    if limit < 1:
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"limit is {limit}; give 1 or more")


def runs(where: RunFilter, limit: int, cursor: str | None) -> tuple[str, list[Any]]:
    """Runs, the newest first."""
    select = Select(f"SELECT {RUN_COLUMNS} FROM workflows")  # noqa: S608
    select.where_given("status = ?", where.status)
    select.where_given("agent_id = ?", where.agent_id)
    select.where_given("template_name = ?", where.template_name)
    select.where_given("parent_id = ?", where.parent_id)
    select.where_given("started_at >= ?", where.since)
    if cursor is not None:
        select.where("(started_at, id) < (?, ?)", *decode(cursor, "runs", float, str))
    return select.page("started_at DESC, id DESC", limit)


def orphans(now: float, limit: int) -> tuple[str, list[Any]]:
    """Runs whose owner does not live, the oldest first."""
    select = Select(f"SELECT {RUN_COLUMNS} FROM workflows")  # noqa: S608
    select.where("owner IS NOT NULL")
    select.where("owner NOT IN (SELECT id FROM owners WHERE lives_until > ?)", now)
    return select.first("started_at, id", limit)


def due(now: float, limit: int) -> tuple[str, list[Any]]:
    """Runs that wake by themselves, the earliest first."""
    select = Select(f"SELECT {RUN_COLUMNS} FROM workflows")  # noqa: S608
    return select.where("wakes_at <= ?", now).first("wakes_at, id", limit)


def messages(workflow_id: str | None, limit: int) -> tuple[str, list[Any]]:
    """Messages that nobody has taken, the oldest first."""
    select = Select(f"SELECT {MESSAGE_COLUMNS} FROM signals")  # noqa: S608
    return select.where_given("workflow_id = ?", workflow_id).first("created_at, id", limit)


def decisions(where: DecisionFilter, limit: int, cursor: str | None) -> tuple[str, list[Any]]:
    """Decisions, the oldest first."""
    select = Select(f"SELECT {DECISION_COLUMNS} FROM decisions")  # noqa: S608
    select.where_given("status = ?", where.status)
    select.where_given("workflow_id = ?", where.workflow_id)
    select.where_given("(target_agent_id IS NULL OR target_agent_id = ?)", where.agent_id)
    if cursor is not None:
        select.where("(created_at, id) > (?, ?)", *decode(cursor, "decisions", float, str))
    return select.page("created_at, id", limit)


def log(where: EventFilter, limit: int, cursor: str | None) -> tuple[str, list[Any]]:
    """Events of one run by sequence."""
    select = _matching(Select(f"SELECT {EVENT_COLUMNS} FROM events"), where)  # noqa: S608
    if cursor is not None:
        select.where("sequence > ?", *decode(cursor, "log", int))
    return select.page("sequence", limit)


def events(where: EventFilter, limit: int, cursor: str | None) -> tuple[str, list[Any]]:
    """Events of all runs from the last, each behind its position."""
    select = _matching(Select(f"SELECT position, {EVENT_COLUMNS} FROM events"), where)  # noqa: S608
    if where.event_type is not None and where.event_type not in FREQUENT_EVENTS:
        # Says nothing new, but lets SQLite see that the index holds every such event.
        select.where(f"event_type NOT IN {FREQUENT_EVENTS}")
    if cursor is not None:
        select.where("position < ?", *decode(cursor, "events", int))
    return select.page("position DESC", limit)


def _matching(select: Select, where: EventFilter) -> Select:
    select.where_given("workflow_id = ?", where.workflow_id)
    select.where_given("step_id = ?", where.step_id)
    select.where_given("event_type = ?", where.event_type)
    select.where_given("timestamp >= ?", where.since)
    return select.where_given("sequence > ?", where.after)


def versions(name: str, agent_id: str | None, limit: int, cursor: str | None) -> tuple[str, list[Any]]:
    """Every version of one template, the newest first."""
    select = Select(TEMPLATES).where("name = ?", name).where_given("agent_id = ?", agent_id)
    if cursor is not None:
        select.where("version < ?", *decode(cursor, "versions", int))
    return select.page("version DESC", limit)


def templates(agent_id: str | None, limit: int, cursor: str | None) -> tuple[str, list[Any]]:
    """The newest version of each template, by name."""
    newest = "version = (SELECT max(version) FROM templates AS other WHERE other.name = templates.name"
    select = Select(TEMPLATES)
    if agent_id is None:
        select.where(f"{newest})")
    else:
        select.where(f"{newest} AND other.agent_id = ?)", agent_id).where("agent_id = ?", agent_id)
    if cursor is not None:
        select.where("name > ?", *decode(cursor, "templates", str))
    return select.page("name", limit)
