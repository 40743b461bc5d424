"""Migrations, and what they are told apart from."""

import sqlite3
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from opcode_core import DecisionFilter, ErrorCode, EventFilter, OpcodeError, RunFilter
from opcode_sql import lists, purging, statements
from opcode_sql.cursors import encode
from opcode_sql.models import Table
from opcode_sql.plugin import sqlite
from opcode_sql.schema import MIGRATIONS, REVISIONS, VERSION_TABLE, upgrade
from opcode_testkit.storage.rows import a_commit, an_event


@pytest.fixture
def path(tmp_path):
    return tmp_path / "opcode.db"


async def make(path):
    storage = sqlite(f"sqlite:///{path}")
    await storage.open()
    await storage.close()


def definitions(path):
    db = sqlite3.connect(path)
    rows = db.execute("SELECT type, name, sql FROM sqlite_master WHERE tbl_name != ?", [VERSION_TABLE])
    made = {(kind, name): " ".join((sql or "").split()) for kind, name, sql in rows}
    db.close()
    return made


async def test_the_migrations_give_the_tables_of_the_models(path, tmp_path):
    await make(path)
    engine = create_engine(f"sqlite:///{tmp_path}/models.db")
    Table.metadata.create_all(engine)
    engine.dispose()
    migrated = definitions(path)
    assert len([kind for kind, _ in migrated if kind == "table"]) == 10
    assert migrated == definitions(tmp_path / "models.db")


async def test_alembic_sees_no_difference_to_the_models(path):
    await make(path)
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, Table.metadata) == []
    engine.dispose()


def test_every_migration_is_known():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    newest_first = [revision.revision for revision in script.walk_revisions()]
    assert tuple(reversed(newest_first)) == REVISIONS


async def test_opening_what_is_up_to_date_imports_nothing_heavy(path):
    await make(path)
    code = (
        "import asyncio, sys\n"
        "from opcode_sql.plugin import sqlite\n"
        f"storage = sqlite('sqlite:///{path}')\n"
        "asyncio.run(storage.open()); asyncio.run(storage.close())\n"
        "print([name for name in ('sqlalchemy', 'sqlmodel', 'alembic', 'pydantic') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


async def test_many_processes_may_make_one_database_at_once(path):
    code = (
        "import asyncio, sys\n"
        "from opcode_sql.plugin import sqlite\n"
        "from opcode_core import Commit, RunRecord\n"
        "import alembic.command, sqlalchemy\n"  # so that all arrive at the database together
        "async def main():\n"
        f"    storage = sqlite('sqlite:///{path.parent}/new/opcode.db?busy_timeout=30s')\n"
        "    sys.stdin.read()\n"
        "    await storage.open()\n"
        "    row = RunRecord(sys.argv[1], 'active', 'h', None, None, 'agent', 1.0, 1.0, 0)\n"
        "    await storage.commit([Commit(row, [])])\n"
        "    await storage.close()\n"
        "asyncio.run(main())\n"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code, f"r{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(5)
    ]
    for racer in racers:
        racer.stdin.close()
        racer.stdin = None
    for racer in racers:
        assert racer.communicate(timeout=60) == ("", "")
    db = sqlite3.connect(path.parent / "new/opcode.db")
    assert db.execute("SELECT count(*) FROM workflows").fetchone() == (5,)
    assert db.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall() == [(REVISIONS[-1],)]
    db.close()


async def refusal(path):
    with pytest.raises(OpcodeError) as caught:
        await make(path)
    assert caught.value.code is ErrorCode.STORE_ERROR
    assert str(path) in caught.value.message
    return caught.value.message


async def test_a_database_from_the_future_is_left_alone(path):
    await make(path)
    db = sqlite3.connect(path)
    with db:
        db.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    db.close()
    message = await refusal(path)
    assert "a newer version made it (schema 9999, known up to 0003)" in message
    assert "upgrade opcode-sql" in message


async def test_a_database_of_another_program_is_left_alone(path):
    db = sqlite3.connect(path)
    with db:
        db.execute("CREATE TABLE recipes (name)")
    db.close()
    before = path.read_bytes()
    message = await refusal(path)
    assert "it is another program's (tables: recipes)" in message
    assert "give another file" in message
    assert path.read_bytes() == before


async def test_an_empty_file_becomes_a_database(path):
    path.touch()
    await make(path)
    assert definitions(path)


async def test_a_migration_that_fails_half_way_leaves_nothing(path):
    def short_of_space():
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA max_page_count = 8")
        return db

    with pytest.raises(sqlite3.OperationalError, match="full"):
        upgrade(short_of_space)
    assert definitions(path) == {}
    await make(path)
    assert len(definitions(path)) > 8


async def test_a_database_that_is_locked_while_it_is_made(path):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("BEGIN IMMEDIATE")
    storage = sqlite(f"sqlite:///{path}?busy_timeout=50ms")
    with pytest.raises(OpcodeError, match="another process holds its lock"):
        await storage.open()
    other.execute("ROLLBACK")
    other.close()
    await storage.open()
    await storage.commit([a_commit()])
    await storage.close()


EXPLAINED = [
    ("runs", ""),
    ("runs", "status"),
    ("runs", "agent_id"),
    ("runs", "template_name"),
    ("runs", "parent_id"),
    ("runs", "since"),
    ("events", ""),
    ("events", "workflow_id"),
    ("events", "event_type"),
    ("templates", ""),
    ("templates", "name"),
]


@pytest.mark.parametrize(("what", "filtered_by"), EXPLAINED)
async def test_no_list_sorts_or_scans_a_table(path, what, filtered_by):

    value = 1.0 if filtered_by == "since" else "x"
    given = {filtered_by: value} if filtered_by else {}
    if what == "runs":
        query = lists.runs(RunFilter(**given), 10, encode("runs", 1.0, "r"))
    elif filtered_by == "workflow_id":
        query = lists.log(EventFilter(**given), 10, encode("log", 1))
    elif what == "events":
        query = lists.events(EventFilter(**given), 10, encode("events", 1))
    elif filtered_by:
        query = lists.versions("x", None, 10, encode("versions", 1))
    else:
        query = lists.templates(None, 10, encode("templates", "x"))
    await make(path)
    db = sqlite3.connect(path)
    sql, values = query
    plan = [row[-1] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    db.close()
    assert not [step for step in plan if step.startswith("SCAN") or "TEMP B-TREE" in step], plan
    assert filtered_by in ("", "since") or any(f"{filtered_by}=?" in step for step in plan), plan


BY_INDEX = {
    "due": (lists.due(1.0, 10), "workflows_by_wake"),
    "next due": ((statements.NEXT_DUE, [1.0]), "workflows_by_wake"),
    "orphans": (lists.orphans(1.0, 10), "workflows_by_owner"),
    "messages": (lists.messages(None, 10), "signals_by_age"),
    "messages of one": (lists.messages("r", 10), "signals_by_workflow"),
    "decisions": (lists.decisions(DecisionFilter(), 10, None), "decisions_by_age"),
    "next decisions": (
        lists.decisions(DecisionFilter(), 10, encode("decisions", 1.0, "d")),
        "decisions_by_age",
    ),
    "pending": (lists.decisions(DecisionFilter("pending", agent_id="a"), 10, None), "decisions_by_status"),
    "decisions of one": (lists.decisions(DecisionFilter(workflow_id="r"), 10, None), "decisions_by_workflow"),
    "what is past": ((purging.PAST, [1.0, 10]), "workflows_by_end"),
    "children": ((purging.PAST, [1.0, 10]), "workflows_by_parent"),
    "runs of a definition": ((purging.DELETE_UNUSED, ["h"]), "workflows_by_definition"),
    "templates of a definition": ((purging.DELETE_UNUSED, ["h"]), "templates_by_definition"),
}


@pytest.mark.parametrize(("query", "index"), BY_INDEX.values(), ids=BY_INDEX)
async def test_what_is_asked_often_has_its_index(path, query, index):
    await make(path)
    db = sqlite3.connect(path)
    plan = [row[-1] for row in db.execute(f"EXPLAIN QUERY PLAN {query[0]}", query[1])]
    db.close()
    assert any(f"INDEX {index}" in step for step in plan), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan


async def test_rare_events_are_in_the_index_and_frequent_ones_are_not(path):
    storage = sqlite(f"sqlite:///{path}")
    await storage.open()
    commit = a_commit(count=2)
    rare = an_event("r1", 2, event_type="custom")
    await storage.commit([type(commit)(commit.run, [commit.events[0], rare])])
    await storage.close()
    db = sqlite3.connect(path)
    indexed = db.execute(
        "SELECT event_type FROM events INDEXED BY events_by_rare_type "
        "WHERE event_type NOT IN ('step_started', 'step_completed', 'workflow_started', 'workflow_completed')"
    ).fetchall()
    db.close()
    assert indexed == [("custom",)]
