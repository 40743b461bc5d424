"""The schema. Migrations follow it, and a test proves that they give the same tables."""

from typing import ClassVar

from sqlalchemy import (
    BigInteger,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from opcode_sql.statements import FREQUENT_EVENTS


class Table(SQLModel):
    """Our tables, apart from those that other packages make with SQLModel."""

    metadata: ClassVar[MetaData] = MetaData()


def _partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


class Workflow(Table, table=True):
    """A run's row. Times are seconds since the epoch; `output` and `error` are JSON."""

    __tablename__ = "workflows"
    __table_args__ = (
        Index("workflows_by_start", "started_at", "id"),
        Index("workflows_by_status", "status", "started_at", "id"),
        Index("workflows_by_agent", "agent_id", "started_at", "id"),
        _partial_index(
            "workflows_by_template",
            "template_name",
            "started_at",
            "id",
            where="template_name IS NOT NULL",
        ),
        _partial_index("workflows_by_parent", "parent_id", "started_at", "id", where="parent_id IS NOT NULL"),
        _partial_index(
            "workflows_by_key",
            "agent_id",
            "idempotency_key",
            where="idempotency_key IS NOT NULL",
            unique=True,
        ),
        _partial_index("workflows_by_wake", "wakes_at", "id", where="wakes_at IS NOT NULL"),
        _partial_index("workflows_by_owner", "started_at", "id", where="owner IS NOT NULL"),
        _partial_index("workflows_by_end", "completed_at", where="completed_at IS NOT NULL"),
        Index("workflows_by_definition", "definition_hash"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    status: str = Field(sa_type=Text)
    definition_hash: str = Field(sa_type=Text)
    template_name: str | None = Field(sa_type=Text)
    template_version: str | None = Field(sa_type=Text)
    agent_id: str = Field(sa_type=Text)
    started_at: float = Field(sa_type=Double)
    updated_at: float = Field(sa_type=Double)
    sequence: int = Field(sa_type=BigInteger)
    completed_at: float | None = Field(sa_type=Double)
    output: str | None = Field(sa_type=Text)
    error: str | None = Field(sa_type=Text)
    parent_id: str | None = Field(sa_type=Text)
    parent_step_id: str | None = Field(sa_type=Text)
    idempotency_key: str | None = Field(sa_type=Text)
    name: str | None = Field(sa_type=Text)
    wakes_at: float | None = Field(sa_type=Double)
    owner: str | None = Field(sa_type=Text)
    fence: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": text("1")})


class EventRow(Table, table=True):
    """One event of a run's log; `payload` is JSON, `position` its place among all runs' events.

    No foreign key to the run: the row and its events are written in one transaction, and the
    check would cost more than the insert.
    """

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("workflow_id", "sequence"),
        _partial_index("events_by_rare_type", "event_type", where=f"event_type NOT IN {FREQUENT_EVENTS}"),
    )

    # In SQLite only an INTEGER PRIMARY KEY numbers itself.
    position: int = Field(primary_key=True, sa_type=BigInteger().with_variant(Integer, "sqlite"))
    workflow_id: str = Field(sa_type=Text)
    sequence: int = Field(sa_type=BigInteger)
    event_type: str = Field(sa_type=Text)
    step_id: str | None = Field(sa_type=Text)
    payload: str = Field(sa_type=Text)
    agent_id: str = Field(sa_type=Text)
    timestamp: float = Field(sa_type=Double)


class Definition(Table, table=True):
    """A definition's JSON, as bytes so that it stays what was hashed."""

    __tablename__ = "definitions"

    hash: str = Field(primary_key=True, sa_type=Text)
    body: bytes = Field(sa_type=LargeBinary)


class WorkflowContext(Table, table=True):
    """A run's context, a JSON object; a run whose context never changed has no row."""

    __tablename__ = "workflow_context"

    workflow_id: str = Field(primary_key=True, sa_type=Text)
    data: str = Field(sa_type=Text)


class Owner(Table, table=True):
    """A process that drives runs, and until when it counts as living."""

    __tablename__ = "owners"

    id: str = Field(primary_key=True, sa_type=Text)
    lives_until: float = Field(sa_type=Double)


class DecisionRow(Table, table=True):
    """A question of a run and its answer. What people and agents write is JSON, which any text fits in:
    `prompt`, `data`, `options`, `response_schema`, `choice`, `reasoning` and `answer`.
    """

    __tablename__ = "decisions"
    __table_args__ = (
        Index("decisions_by_age", "created_at", "id"),
        Index("decisions_by_status", "status", "created_at", "id"),
        Index("decisions_by_workflow", "workflow_id", "created_at", "id"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    workflow_id: str = Field(sa_type=Text)
    step_id: str = Field(sa_type=Text)
    target_agent_id: str | None = Field(sa_type=Text)
    prompt: str = Field(sa_type=Text)
    data: str = Field(sa_type=Text)
    options: str = Field(sa_type=Text)
    response_schema: str | None = Field(sa_type=Text)
    timeout_at: float | None = Field(sa_type=Double)
    fallback: str | None = Field(sa_type=Text)
    created_at: float = Field(sa_type=Double)
    status: str = Field(sa_type=Text)
    choice: str | None = Field(sa_type=Text)
    reasoning: str = Field(sa_type=Text)
    answer: str | None = Field(sa_type=Text)
    resolved_by: str | None = Field(sa_type=Text)
    resolved_at: float | None = Field(sa_type=Double)


class Signal(Table, table=True):
    """A message to a run that nobody has taken yet; `payload` is JSON."""

    __tablename__ = "signals"
    __table_args__ = (
        Index("signals_by_age", "created_at", "id"),
        Index("signals_by_workflow", "workflow_id", "created_at", "id"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    workflow_id: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    step_id: str | None = Field(sa_type=Text)
    payload: str = Field(sa_type=Text)
    agent_id: str = Field(sa_type=Text)
    created_at: float = Field(sa_type=Double)


class Snapshot(Table, table=True):
    """A run's state after the event `sequence`, in a form of the engine's own."""

    __tablename__ = "snapshots"

    workflow_id: str = Field(primary_key=True, sa_type=Text)
    sequence: int = Field(sa_type=BigInteger)
    body: bytes = Field(sa_type=LargeBinary)


class Template(Table, table=True):
    """One version of a template; schemas and triggers are JSON."""

    __tablename__ = "templates"
    __table_args__ = (Index("templates_by_definition", "definition_hash"),)

    name: str = Field(primary_key=True, sa_type=Text)
    version: int = Field(primary_key=True, sa_type=Integer)
    definition_hash: str = Field(sa_type=Text)
    agent_id: str = Field(sa_type=Text)
    created_at: float = Field(sa_type=Double)
    description: str = Field(sa_type=Text)
    input_schema: str | None = Field(sa_type=Text)
    output_schema: str | None = Field(sa_type=Text)
    triggers: str | None = Field(sa_type=Text)


class ItemRow(Table, table=True):
    """Something that a part of the program remembers beside the runs; `value` is JSON."""

    __tablename__ = "items"

    shelf: str = Field(primary_key=True, sa_type=Text)
    key: str = Field(primary_key=True, sa_type=Text)
    value: str = Field(sa_type=Text)
    version: int = Field(sa_type=BigInteger)
    updated_at: float = Field(sa_type=Double)
