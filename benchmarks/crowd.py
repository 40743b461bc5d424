"""A large database, made by raw inserts through the storage's own schema: 10,000 runs, 1,000,000 events."""

import hashlib
import json
import sqlite3
import sys
import time
from pathlib import Path

from opcode_sql.sqlite import SqliteStorage  # noqa: F401  (its schema is what is filled)
from opcode_sql.statements import EVENT_COLUMNS, RUN_COLUMNS

RUNS, EVENTS = 10_000, 100
STATUSES = ("completed",) * 16 + ("failed", "failed", "cancelled", "suspended")
STEPS = [
    {
        "id": f"step_{n}",
        "action": "workflow.log",
        "params": {"message": "m"},
        **({"depends_on": [f"step_{n - 1}"]} if n else {}),
    }
    for n in range(46)
]
ASK = {"id": "ask", "type": "reasoning", "config": {"prompt_context": "Go on?"}, "depends_on": ["step_45"]}
DEFINITION = json.dumps({"steps": [*STEPS, ASK]}).encode()


def fill(path: Path, runs: int = RUNS) -> None:
    """Fill a database that has the schema and nothing else."""
    now = time.time()
    key = hashlib.sha256(DEFINITION).hexdigest()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("INSERT INTO definitions (hash, body) VALUES (?, ?)", (key, DEFINITION))
        for name in range(200):
            db.execute(
                "INSERT INTO templates (name, version, definition_hash, agent_id, created_at, description)"
                " VALUES (?, 1, ?, 'ada', ?, 'one of many')",
                (f"template {name}", key, now - 1e6),
            )
        for first in range(0, runs, 500):
            _fill(db, range(first, min(first + 500, runs)), key, now)
    db.close()


def _fill(db: sqlite3.Connection, numbers: range, key: str, now: float) -> None:
    rows, events, decisions = [], [], []
    for number in numbers:
        run_id, status = f"{number:032x}", STATUSES[number % len(STATUSES)]
        began = now - (RUNS - number) * 60
        error = (
            json.dumps({"code": "EXECUTION_ERROR", "message": "it broke " * 10})
            if status == "failed"
            else None
        )
        output = json.dumps({"result": "x" * 300}) if status == "completed" else None
        ended = began + 30 if status != "suspended" else None
        rows.append(
            (run_id, status, key, f"template {number % 200}", "v1", f"agent {number % 20}", began, began + 30, EVENTS,
             ended, output, error, None, None, None, f"run {number}", None, None, 1)
        )  # fmt: skip
        events += [(run_id, *event) for event in _log(number, status, key, began)]
        if status == "suspended":
            decisions.append((f"d{number:031x}", run_id, "ask", json.dumps("Go on?"), began + 20))
    db.executemany(f"INSERT INTO workflows ({RUN_COLUMNS}) VALUES ({', '.join('?' * 19)})", rows)
    db.executemany(f"INSERT INTO events ({EVENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", events)
    db.executemany(
        "INSERT INTO decisions (id, workflow_id, step_id, prompt, data, options, created_at, status, reasoning)"
        " VALUES (?, ?, ?, ?, '{}', '[]', ?, 'pending', '\"\"')",
        decisions,
    )


def _log(
    number: int, status: str, key: str, began: float
) -> list[tuple[int, str, str | None, str, str, float]]:
    agent, payloads = f"agent {number % 20}", json.dumps({"output": {"logged": True, "text": "x" * 120}})
    started = {
        "format": 1, "definition": key, "inputs": {"n": number}, "context": {}, "name": f"run {number}",
        "template_name": f"template {number % 200}", "template_version": "v1", "idempotency_key": None,
        "parent_id": None, "parent_step_id": None,
    }  # fmt: skip
    types: list[tuple[str, str | None, str]] = [("workflow_started", None, json.dumps(started))]
    for step in STEPS:
        types += [("step_started", step["id"], "{}"), ("step_completed", step["id"], payloads)]  # type: ignore[list-item]
    rest = EVENTS - len(types) - 1
    types += [("variable_set", None, json.dumps({"data": {"n": n}})) for n in range(rest)]
    last = {
        "completed": ("workflow_completed", {"output": {}}),
        "failed": (
            "workflow_failed",
            {"error": {"code": "EXECUTION_ERROR", "message": "it broke", "details": {}, "step_id": None}},
        ),
        "cancelled": ("workflow_cancelled", {"reason": "enough"}),
        "suspended": ("workflow_suspended", {"waiting": ["ask"]}),
    }[status]
    types.append((last[0], None, json.dumps(last[1])))
    return [
        (at + 1, event_type, step, payload, agent, began + at * 0.3)
        for at, (event_type, step, payload) in enumerate(types)
    ]


if __name__ == "__main__":
    fill(Path(sys.argv[1]))
