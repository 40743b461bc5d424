"""Who drives a run and when it wakes, its decisions, messages and snapshots."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("workflows", sa.Column("name", sa.Text(), nullable=True))
    op.add_column("workflows", sa.Column("wakes_at", sa.Double(), nullable=True))
    op.add_column("workflows", sa.Column("owner", sa.Text(), nullable=True))
    op.add_column("workflows", sa.Column("fence", sa.BigInteger(), nullable=False, server_default=sa.text("1")))
    # Nobody is known to drive them, so somebody has to look.
    op.execute("UPDATE workflows SET wakes_at = 0 WHERE status = 'active'")
    _partial_index("workflows_by_wake", "workflows", ["wakes_at", "id"], "wakes_at IS NOT NULL")
    _partial_index("workflows_by_owner", "workflows", ["started_at", "id"], "owner IS NOT NULL")
    _partial_index("workflows_by_end", "workflows", ["completed_at"], "completed_at IS NOT NULL")
    op.create_index("workflows_by_definition", "workflows", ["definition_hash"])
    op.create_index("templates_by_definition", "templates", ["definition_hash"])
    op.create_table(
        "owners",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("lives_until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("step_id", sa.Text(), nullable=False),
        sa.Column("target_agent_id", sa.Text(), nullable=True),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("response_schema", sa.Text(), nullable=True),
        sa.Column("timeout_at", sa.Double(), nullable=True),
        sa.Column("fallback", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("choice", sa.Text(), nullable=True),
        sa.Column("reasoning", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.Column("resolved_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("decisions_by_age", "decisions", ["created_at", "id"])
    op.create_index("decisions_by_status", "decisions", ["status", "created_at", "id"])
    op.create_index("decisions_by_workflow", "decisions", ["workflow_id", "created_at", "id"])
    op.create_table(
        "signals",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("step_id", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("signals_by_age", "signals", ["created_at", "id"])
    op.create_index("signals_by_workflow", "signals", ["workflow_id", "created_at", "id"])
    op.create_table(
        "snapshots",
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("workflow_id"),
    )


def downgrade() -> None:
    for table in ("snapshots", "signals", "decisions", "owners"):
        op.drop_table(table)
    op.drop_index("templates_by_definition", "templates")
    for index in ("definition", "end", "owner", "wake"):
        op.drop_index(f"workflows_by_{index}", "workflows")
    for column in ("fence", "owner", "wakes_at", "name"):
        op.drop_column("workflows", column)


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
