"""The SQL of lists: a filter and a cursor become conditions on the order's key."""

from dataclasses import dataclass, field
from typing import Any, Self

from opcode_core import ErrorCode, EventFilter, OpcodeError, RunFilter
from opcode_sql.cursors import decode
from opcode_sql.statements import EVENT_COLUMNS, FREQUENT_EVENTS, RUN_COLUMNS, TEMPLATES


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

    def page(self, order: str, limit: int) -> tuple[str, list[Any]]:
        """The SQL and its values for `limit` rows and one more, which tells whether a page follows.

        Raises:
            OpcodeError: VALIDATION_ERROR when `limit` is less than 1.
        """
        if limit < 1:
            raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"limit is {limit}; give 1 or more")
        where = f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""
        return f"{self.table}{where} ORDER BY {order} LIMIT ?", [*self.values, limit + 1]


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
