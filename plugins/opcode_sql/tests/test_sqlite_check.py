"""Damage is found, and told in sentences."""

import asyncio
import os
import sqlite3
from dataclasses import replace

import pytest

from opcode_core import ErrorCode, OpcodeError
from opcode_sql.plugin import sqlite
from opcode_testkit.storage.rows import a_commit, a_decision


@pytest.fixture
def path(tmp_path):
    return tmp_path / "opcode.db"


@pytest.fixture
async def storage(path):
    storage = sqlite(f"sqlite:///{path}")
    await storage.open()
    for number in range(3):
        commit = a_commit(f"r{number}", count=5)
        decision = a_decision(f"d{number}", f"r{number}")
        await storage.commit([replace(commit, decisions=[decision], context={"a": 1}, snapshot=b"x")])
    yield storage
    await storage.close()


PLANTED = {
    "DELETE FROM events WHERE workflow_id = 'r1' AND sequence = 3": [
        "run r1: its log has gaps; of events 1 to 5 there are 4"
    ],
    "DELETE FROM events WHERE workflow_id = 'r1' AND sequence = 1": [
        "run r1: its log has gaps; of events 1 to 5 there are 4"
    ],
    "DELETE FROM events WHERE workflow_id = 'r1' AND sequence = 5": [
        "run r1: its row says that its log ends at event 5, but it ends at 4"
    ],
    "DELETE FROM events WHERE workflow_id = 'r1'": [
        "run r1: its row says that its log ends at event 5, but it ends at 0"
    ],
    "UPDATE workflows SET sequence = 7 WHERE id = 'r2'": [
        "run r2: its row says that its log ends at event 7, but it ends at 5"
    ],
    "UPDATE workflows SET sequence = 4 WHERE id = 'r2'": [
        "run r2: its row says that its log ends at event 4, but it ends at 5",
        "run r2: its snapshot stands for event 5, but its log ends at 4",
    ],
    "UPDATE decisions SET workflow_id = 'gone' WHERE id = 'd0'": [
        "run gone does not exist, but has decisions: 1"
    ],
    "UPDATE events SET workflow_id = 'gone' WHERE workflow_id = 'r0'": [
        "run gone does not exist, but has events: 5",
        "run r0: its row says that its log ends at event 5, but it ends at 0",
    ],
    "DELETE FROM workflows WHERE id = 'r0'": [
        "run r0 does not exist, but has contexts: 1",
        "run r0 does not exist, but has decisions: 1",
        "run r0 does not exist, but has events: 5",
        "run r0 does not exist, but has snapshots: 1",
    ],
}


@pytest.mark.parametrize(("damage", "said"), PLANTED.items())
async def test_rows_that_do_not_fit_together(storage, damage, said):
    assert await storage.check() == []
    storage._database.connection.execute(damage)
    assert sorted(await storage.check()) == said


async def test_at_most_a_hundred_problems_are_told(storage):
    await storage.commit([a_commit(f"new{number}") for number in range(150)])
    storage._database.connection.execute("DELETE FROM events")
    assert len(await storage.check()) == 100


def damage(path, spoil):
    """Change the file behind SQLite's back."""
    with path.open("r+b") as file:
        spoil(file, os.path.getsize(path))


def zero_a_page(file, size):
    file.seek(size // 4096 // 2 * 4096)
    file.write(bytes(4096))


def spoil_bytes(file, size):
    file.seek(size // 4096 // 2 * 4096 + 5)
    file.write(b"\xff" * 50)


def cut_a_page_short(file, size):
    file.truncate(size - 4096)


def cut_in_half(file, size):
    file.truncate(size // 4096 // 2 * 4096)


async def fill(storage):
    for number in range(100):
        await storage.commit([a_commit(f"more{number}", count=20)])
    storage._database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.mark.parametrize("spoil", [zero_a_page, spoil_bytes, cut_a_page_short, cut_in_half])
async def test_damage_to_an_open_file(storage, path, spoil):
    await fill(storage)
    assert await storage.check() == []
    damage(path, spoil)
    problems = await storage.check()
    assert 0 < len(problems) <= 100
    assert problems[0].startswith("the file ")


@pytest.mark.parametrize("spoil", [zero_a_page, spoil_bytes])
async def test_damage_to_a_closed_file(storage, path, spoil):
    await fill(storage)
    await storage.close()
    damage(path, spoil)
    await storage.open()
    problems = await storage.check()
    assert 0 < len(problems) <= 100
    assert problems[0].startswith("the file ")


async def test_a_closed_file_that_was_cut_cannot_be_opened(storage, path):
    await fill(storage)
    await storage.close()
    damage(path, cut_in_half)
    with pytest.raises(OpcodeError, match="the file is damaged") as caught:
        await storage.open()
    assert caught.value.code is ErrorCode.STORE_ERROR


async def test_an_index_that_lost_an_entry(storage):
    db = storage._database.connection
    db.execute("PRAGMA writable_schema = ON")
    db.execute(
        "UPDATE sqlite_master SET sql = replace(sql, 'IS NOT NULL', 'IS NULL') WHERE name = 'workflows_by_end'"
    )
    db.execute("PRAGMA writable_schema = RESET")
    problems = await storage.check()
    assert any("workflows_by_end" in problem for problem in problems)


async def test_a_look_does_not_hinder_work(storage, path):
    """The loop goes on, others write meanwhile, and the look sees one moment."""
    for number in range(10):
        await storage.commit([a_commit(f"long{number}", count=1000)])
    checking = asyncio.create_task(storage.check())
    written = 0
    while not checking.done():
        await asyncio.sleep(0)
        await storage.commit([a_commit("busy", first=written + 1)])
        written += 1
    assert await checking == []
    assert written > 1  # as long as it takes


async def test_a_look_while_another_process_writes(storage, path):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("DELETE FROM events")
    assert await storage.check() == []
    other.execute("ROLLBACK")
    other.close()


async def test_a_storage_that_is_not_open_cannot_be_checked(path):
    with pytest.raises(OpcodeError, match="is not open"):
        await sqlite(f"sqlite:///{path}").check()
