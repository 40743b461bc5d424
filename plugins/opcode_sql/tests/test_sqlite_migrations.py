"""Databases of earlier versions are brought up to date, whatever happens meanwhile."""

import os
import shutil
import sqlite3
import subprocess
import sys

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from opcode_core import EventFilter, RunFilter
from opcode_sql.plugin import sqlite
from opcode_sql.schema import MIGRATIONS, REVISIONS, VERSION_TABLE
from opcode_testkit.storage.rows import a_commit, a_decision, an_event, ids


def database_of_revision(path, revision):
    """Run the migrations up to `revision` on a new file, and open it."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
    return sqlite3.connect(path, isolation_level=None)


def fill_0001(db, count):
    """`count` runs of two events each, of every status in turn, with all that belongs to them."""
    statuses = ("active", "completed", "failed", "suspended", "pending")
    db.execute("BEGIN")
    for number in range(count):
        status = statuses[number % len(statuses)]
        run_id = f"r{number}"
        db.execute(
            "INSERT INTO workflows VALUES (?, ?, ?, 'deploy', 'v1', 'agent', ?, 2.5, 2, ?, ?, NULL, ?, 'child', ?)",
            (run_id, status, "h1", float(number), 3.5, '{"a":1}', f"r{number - 1}", f"key{number}"),
        )
        for sequence in (1, 2):
            db.execute(
                "INSERT INTO events (workflow_id, sequence, event_type, step_id, payload, agent_id, timestamp)"
                " VALUES (?, ?, 'step_completed', 'a', '{\"n\":1}', 'agent', 1.5)",
                (run_id, sequence),
            )
        db.execute('INSERT INTO workflow_context VALUES (?, \'{"intent":"x"}\')', (run_id,))
    db.execute("INSERT INTO definitions VALUES ('h1', ?)", (b"{}",))
    db.execute("INSERT INTO templates VALUES ('deploy', 1, 'h1', 'agent', 1.5, '', NULL, NULL, NULL)")
    db.execute("COMMIT")


def rows_of(path):
    """Everything that revision 0001 knows, in the columns which it knows."""
    db = sqlite3.connect(path)
    columns = (
        "id, status, definition_hash, template_name, template_version, agent_id, started_at, updated_at, sequence,"
        " completed_at, output, error, parent_id, parent_step_id, idempotency_key"
    )
    found = [db.execute(f"SELECT {columns} FROM workflows ORDER BY id").fetchall()]
    for table in ("events", "definitions", "workflow_context", "templates"):
        found.append(db.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall())
    db.close()
    return found


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "opcode.db"
    db = database_of_revision(path, "0001")
    fill_0001(db, 10)
    db.close()
    return path


async def test_a_database_of_0001_keeps_all_its_rows(old):
    before = rows_of(old)
    storage = sqlite(f"sqlite:///{old}")
    await storage.open()
    assert await storage.check() == []
    run = await storage.run("r1")
    assert (run.status, run.output, run.idempotency_key, run.parent_id) == (
        "completed",
        {"a": 1},
        "key1",
        "r0",
    )
    assert (run.name, run.wakes_at, run.owner, run.fence) == (None, None, None, 1)
    assert len((await storage.runs(RunFilter())).items) == 10
    assert len((await storage.events(EventFilter())).items) == 20
    await storage.close()
    assert rows_of(old) == before


async def test_active_runs_of_0001_are_looked_at(old):
    """Nobody is known to drive them; what rests stays at rest."""
    storage = sqlite(f"sqlite:///{old}")
    await storage.open()
    assert ids(await storage.due(0.0)) == ["r0", "r5"]
    assert await storage.next_due(0.0) is None
    assert await storage.orphans(1e12) == []
    (claimed,) = await storage.claim(["r0"], "a", 1.0)
    assert (claimed.owner, claimed.fence, claimed.wakes_at) == ("a", 2, None)
    await storage.close()


async def test_runs_of_0001_go_on(old):
    storage = sqlite(f"sqlite:///{old}")
    await storage.open()
    (run,) = await storage.claim(["r5"], "a", 1.0)
    commit = a_commit("r5", first=3, owner="a", fence=run.fence, status="suspended", wakes_at=9.0)
    await storage.commit([type(commit)(commit.run, commit.events, decisions=[a_decision(run_id="r5")])])
    assert (await storage.run("r5")).sequence == 3
    assert (await storage.events(EventFilter("r5", after=2))).items == (an_event("r5", 3),)
    assert await storage.decision("d1") == a_decision(run_id="r5")
    assert await storage.purge(100.0) == 0  # each has a parent or a child that goes on
    await storage.close()


async def test_a_database_of_0002_keeps_its_rows_and_takes_items(old):
    database_of_revision(old, "0002").close()
    before = rows_of(old)
    storage = sqlite(f"sqlite:///{old}")
    await storage.open()
    item = await storage.put("shelf", "key", {"a": 1}, 1.5, version=0)
    assert await storage.item("shelf", "key") == item
    assert await storage.check() == []
    await storage.close()
    assert rows_of(old) == before


KILLED = """
import asyncio, os, random, signal, sys, time
import alembic.command, sqlalchemy, opcode_sql.models, opcode_sql.sqlite
from opcode_sql.plugin import sqlite

def upgrade(path):
    pid = os.fork()
    if pid == 0:
        storage = sqlite(f"sqlite:///{path}")
        asyncio.run(storage.open())
        asyncio.run(storage.close())
        os._exit(0)
    return pid

measured, *others = sys.argv[1:]
began = time.monotonic()
os.waitpid(upgrade(measured), 0)
took = time.monotonic() - began
for path in others:
    pid = upgrade(path)
    time.sleep(took * random.random())
    os.kill(pid, signal.SIGKILL)
    killed = os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    print("killed" if killed else "done")
    took *= 1 if killed else 0.8
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
async def test_a_migration_that_is_killed_leaves_a_good_database(tmp_path):
    """At any moment of the time that it takes."""
    first = tmp_path / "0.db"
    db = database_of_revision(first, "0001")
    fill_0001(db, 10_000)
    db.close()
    before = rows_of(first)
    paths = [first, *(tmp_path / f"{number}.db" for number in range(1, 11))]
    for path in paths[1:]:
        shutil.copy(first, path)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *map(str, paths)], capture_output=True, text=True, check=True
    )
    assert done.stdout.count("killed") > 1
    for path in paths:
        db = sqlite3.connect(path)
        ((version,),) = db.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall()
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        db.close()
        assert version in REVISIONS
        assert ("signals" in tables) == (version >= "0002")
        storage = sqlite(f"sqlite:///{path}")
        await storage.open()
        assert await storage.check() == []
        assert len(await storage.due(0.0, 5000)) == 2000
        await storage.close()
        assert rows_of(path) == before
