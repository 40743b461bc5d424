"""The SQL of everything that is not a list. Written out, since making it would cost more than running it."""

from typing import Final

RUN_COLUMNS: Final = (
    "id, status, definition_hash, template_name, template_version, agent_id, started_at, updated_at, "
    "sequence, completed_at, output, error, parent_id, parent_step_id, idempotency_key, "
    "name, wakes_at, owner, fence"
)
EVENT_COLUMNS: Final = "workflow_id, sequence, event_type, step_id, payload, agent_id, timestamp"
DECISION_COLUMNS: Final = (
    "id, workflow_id, step_id, target_agent_id, prompt, data, options, response_schema, timeout_at, "
    "fallback, created_at, status, choice, reasoning, answer, resolved_by, resolved_at"
)
MESSAGE_COLUMNS: Final = "id, workflow_id, kind, step_id, payload, agent_id, created_at"
TEMPLATE_COLUMNS: Final = (
    "name, version, definition_hash, body, agent_id, created_at, description, input_schema, "
    "output_schema, triggers"
)

# A run whose log is still empty may be there already, and then only follows; any other is refused.
INSERT_RUN: Final = f"""
    INSERT INTO workflows ({RUN_COLUMNS})
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET status = excluded.status, updated_at = excluded.updated_at,
        sequence = excluded.sequence, completed_at = excluded.completed_at, output = excluded.output,
        error = excluded.error, wakes_at = excluded.wakes_at, owner = excluded.owner
    WHERE workflows.sequence = 0 AND workflows.fence = excluded.fence
"""  # noqa: S608
UPDATE_RUN: Final = """
    UPDATE workflows SET status = ?, updated_at = ?, sequence = ?, completed_at = ?, output = ?, error = ?,
        wakes_at = ?, owner = ?
    WHERE id = ? AND sequence = ? AND fence = ?
"""
INSERT_EVENT: Final = f"INSERT INTO events ({EVENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
INSERT_DEFINITION: Final = "INSERT INTO definitions (hash, body) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING"
SET_CONTEXT: Final = """
    INSERT INTO workflow_context (workflow_id, data) VALUES (?, ?)
    ON CONFLICT (workflow_id) DO UPDATE SET data = excluded.data
"""
SET_DECISION: Final = f"""
    REPLACE INTO decisions ({DECISION_COLUMNS})
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""  # noqa: S608
SET_SNAPSHOT: Final = "REPLACE INTO snapshots (workflow_id, sequence, body) VALUES (?, ?, ?)"
INSERT_MESSAGE: Final = f"""
    INSERT INTO signals ({MESSAGE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING
"""  # noqa: S608
DELETE_MESSAGE: Final = "DELETE FROM signals WHERE id = ?"
INSERT_TEMPLATE: Final = """
    INSERT INTO templates (name, version, definition_hash, agent_id, created_at, description,
        input_schema, output_schema, triggers)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

BEAT: Final = "REPLACE INTO owners (id, lives_until) VALUES (?, ?)"
LEAVE: Final = "DELETE FROM owners WHERE id = ?"
OWNERS: Final = "SELECT id, lives_until FROM owners"
CLAIM: Final = f"""
    UPDATE workflows SET owner = ?2, fence = fence + 1, wakes_at = NULL
    WHERE id = ?1 AND (owner IS NULL OR owner = ?2
        OR owner NOT IN (SELECT id FROM owners WHERE lives_until > ?3))
    RETURNING {RUN_COLUMNS}
"""  # noqa: S608

RUN: Final = f"SELECT {RUN_COLUMNS} FROM workflows WHERE id = ?"  # noqa: S608
TALLY: Final = """
    SELECT agent_id, status, count(*), sum(sequence) FROM workflows GROUP BY agent_id, status ORDER BY 1, 2
"""
WORK: Final = """
    SELECT count(*) FILTER (WHERE event_type = 'step_completed'),
        count(*) FILTER (WHERE event_type = 'decision_requested'), coalesce(max(position), ?)
    FROM events WHERE position > ?
"""
RUN_BY_KEY: Final = f"SELECT {RUN_COLUMNS} FROM workflows WHERE agent_id = ? AND idempotency_key = ?"  # noqa: S608
POSITION: Final = "SELECT sequence, fence FROM workflows WHERE id = ?"
NEXT_DUE: Final = "SELECT wakes_at FROM workflows WHERE wakes_at > ? ORDER BY wakes_at LIMIT 1"
CONTEXT: Final = "SELECT data FROM workflow_context WHERE workflow_id = ?"
SNAPSHOT: Final = "SELECT sequence, body FROM snapshots WHERE workflow_id = ?"
DECISION: Final = f"SELECT {DECISION_COLUMNS} FROM decisions WHERE id = ?"  # noqa: S608
DEFINITION: Final = "SELECT body FROM definitions WHERE hash = ?"
TEMPLATES: Final = f"SELECT {TEMPLATE_COLUMNS} FROM templates JOIN definitions ON hash = definition_hash"  # noqa: S608
LAST_VERSION: Final = "SELECT coalesce(max(version), 0) FROM templates WHERE name = ?"
TEMPLATE: Final = f"{TEMPLATES} WHERE name = ? AND version = ?"
NEWEST_TEMPLATE: Final = f"{TEMPLATES} WHERE name = ? ORDER BY version DESC LIMIT 1"

FREQUENT_EVENTS: Final = ("step_started", "step_completed", "workflow_started", "workflow_completed")
"""Types that are so common that a walk from the newest event meets them at once. They are kept out of
the index by type, which would otherwise cost a third of a commit. As text it is SQL's own list."""
