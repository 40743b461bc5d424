"""Items in SQLite: by the index, as plain rows, and from several processes."""

import asyncio
import sqlite3
import subprocess
import sys

import pytest

from opcode_core import ErrorCode, Item, OpcodeError
from opcode_sql import shelves
from opcode_sql.cursors import encode
from opcode_sql.plugin import sqlite


@pytest.fixture
def path(tmp_path):
    return tmp_path / "opcode.db"


@pytest.fixture
async def storage(path):
    storage = sqlite(f"sqlite:///{path}?busy_timeout=60s")
    await storage.open()
    yield storage
    await storage.close()


BOTH_ENDS = "(shelf=? AND key>? AND key<?)"
ONE_END = "(shelf=? AND key>?)"


@pytest.mark.parametrize("greatest_first", [False, True])
@pytest.mark.parametrize(
    ("prefix", "last", "searched"),
    [
        ("", None, ONE_END),
        ("a%_", None, BOTH_ENDS),
        ("a", "ab", BOTH_ENDS),
        ("\U0010ffff", None, ONE_END),
        ("b", "a", BOTH_ENDS),
        ("b", "c", BOTH_ENDS),
    ],
)
async def test_items_are_a_range_of_the_primary_key(storage, prefix, last, searched, greatest_first):
    cursor = None if last is None else encode("items", last)
    sql, values = shelves.page("s", prefix, 10, cursor, greatest_first=greatest_first)
    (step,) = storage._database.connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
    assert step[-1] == f"SEARCH items USING INDEX sqlite_autoindex_items_1 {searched}"


async def steps_of(storage, call):
    """How many instructions of SQLite's machine a call takes, in hundreds."""
    counted = [0]

    def count():
        counted[0] += 1

    storage._database.connection.set_progress_handler(count, 100)
    await call
    storage._database.connection.set_progress_handler(None, 0)
    return counted[0]


@pytest.mark.parametrize("greatest_first", [False, True])
async def test_a_page_costs_the_same_wherever_it_begins(storage, greatest_first):
    rows = [("s", f"a{number:05}", "1", 1, 1.0) for number in range(20_000)]
    storage._database.connection.executemany("INSERT INTO items VALUES (?, ?, ?, ?, ?)", rows)
    for last in ("a00011", "a10000", "a19988"):
        call = storage.items("s", "a", 10, encode("items", last), greatest_first=greatest_first)
        assert await steps_of(storage, call) < 5


async def test_a_row_is_plain(storage, path):
    await storage.put("tokens", "ключ", {"a": [1, None]}, 1.5)
    await storage.put("tokens", "ключ", None, 2.5)
    db = sqlite3.connect(path)
    assert db.execute("SELECT * FROM items").fetchall() == [("tokens", "ключ", "null", 2, 2.5)]
    db.close()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**64, {1}, {1: 2}, b"x"], ids=repr)
async def test_a_value_that_is_not_json_is_refused_with_its_place(storage, value):
    await storage.put("s", "k", 1, 1.0)
    with pytest.raises(OpcodeError, match="the value of item 'k' on shelf 's' cannot be stored") as caught:
        await storage.put("s", "k", {"a": value}, 2.0)
    assert caught.value.code is ErrorCode.VALIDATION_ERROR
    assert await storage.item("s", "k") == Item("s", "k", 1, 1, 1.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda storage: storage.put("s", "\ud800", 1, 1.0),
        lambda storage: storage.put("\ud800", "k", 1, 1.0),
        lambda storage: storage.item("s", "\ud800"),
        lambda storage: storage.items("\ud800"),
        lambda storage: storage.items("s", "a\udfff"),
        lambda storage: storage.items("s", "", 10, encode("items", "\ud800")),
        lambda storage: storage.items("s", limit=2**70),
        lambda storage: storage.remove("s", ["k", "\ud800"]),
    ],
)
async def test_what_is_no_text_is_refused_and_changes_nothing(storage, call):
    kept = await storage.put("s", "k", 1, 1.0)
    with pytest.raises(OpcodeError) as caught:
        await call(storage)
    assert caught.value.code is ErrorCode.VALIDATION_ERROR
    assert (await storage.items("s")).items == (kept,)


async def test_a_value_that_is_damaged(storage, path):
    await storage.put("s", "k", 1, 1.0)
    storage._database.connection.execute("UPDATE items SET value = '{'")
    for call in (storage.item("s", "k"), storage.items("s")):
        with pytest.raises(OpcodeError, match=f"reading the database {path} failed") as caught:
            await call
        assert caught.value.code is ErrorCode.STORE_ERROR


OTHER_PROCESS = """
import asyncio, sys
from opcode_core import OpcodeError
from opcode_sql.plugin import sqlite

async def add(storage):
    while True:
        item = await storage.item("s", "count")
        try:
            return await storage.put("s", "count", item.value + 1, 1.0, version=item.version)
        except OpcodeError as error:
            if error.code != "CONFLICT":
                raise

async def main(url, name):
    storage = sqlite(url)
    await storage.open()
    print("ready", flush=True)
    sys.stdin.readline()
    won = 0
    for n in range(100):
        await add(storage)
        try:
            await storage.put("s", f"key{n}", name, 1.0, version=0)
            won += 1
        except OpcodeError as error:
            if error.code != "CONFLICT":
                raise
    print(won)
    await storage.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_two_processes_put_side_by_side(storage, path):
    """No change is lost, and of two who put something new one wins."""
    await storage.put("s", "count", 0, 1.0)
    url = f"sqlite:///{path}?durability=normal&busy_timeout=60s"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", OTHER_PROCESS, url, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    said = [await asyncio.to_thread(writer.communicate, timeout=60) for writer in writers]
    assert [errors for _, errors in said] == ["", ""]
    assert await storage.item("s", "count") == Item("s", "count", 200, 201, 1.0)
    found = [item.value for item in (await storage.items("s", "key")).items]
    assert len(found) == 100
    assert [found.count(name) for name in ("a", "b")] == [int(won) for won, _ in said]
    assert await storage.remove("s", [f"key{number}" for number in range(100)]) == 100
