"""While another process writes, a commit waits and everything else goes on."""

import asyncio
import sqlite3
import subprocess
import sys
import time

import pytest

from opcode_core import ErrorCode, EventFilter, OpcodeError, RunFilter
from opcode_sql.plugin import sqlite
from opcode_testkit.storage.rows import a_commit, a_message, a_run, a_template, ids


@pytest.fixture
def path(tmp_path):
    return tmp_path / "opcode.db"


@pytest.fixture
async def storage(path):
    storage = sqlite(f"sqlite:///{path}?busy_timeout=10s")
    await storage.open()
    yield storage
    await storage.close()


@pytest.fixture
async def hasty(path, storage):
    """A storage that soon gives up, on a database that knows run r1."""
    await storage.commit([a_commit()])
    hasty = sqlite(f"sqlite:///{path}?busy_timeout=30ms")
    await hasty.open()
    yield hasty
    await hasty.close()


@pytest.fixture
def other(path, storage):
    """Somebody else's connection to the same database."""
    other = sqlite3.connect(path, isolation_level=None)
    yield other
    other.close()


async def turns_until(task):
    turns = 0
    while not task.done():
        await asyncio.sleep(0.001)
        turns += 1
    return turns


WRITES = {
    "commit": lambda storage: storage.commit([a_commit(first=2)]),
    "beat": lambda storage: storage.beat("a", 1.0),
    "leave": lambda storage: storage.leave("a"),
    "claim": lambda storage: storage.claim(["r1"], "a", 1.0),
    "post": lambda storage: storage.post(a_message()),
    "drop": lambda storage: storage.drop("m1"),
    "add_template": lambda storage: storage.add_template(a_template()),
    "put": lambda storage: storage.put("s", "k", 1, 1.0),
    "remove": lambda storage: storage.remove("s", ["k"]),
    "purge": lambda storage: storage.purge(1.0),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_write_waits_and_the_loop_goes_on(storage, other, write):
    await storage.commit([a_commit()])
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(write(storage))
    for _ in range(20):
        await asyncio.sleep(0.001)
        assert not waiting.done()
        assert (await storage.run("r1")).sequence == 1  # reading does not wait
    other.execute("ROLLBACK")
    assert await turns_until(waiting) < 1000
    await waiting


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_write_gives_up_after_the_busy_timeout(hasty, other, path, write):
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    failing = asyncio.create_task(write(hasty))
    assert await turns_until(failing) > 3
    assert time.monotonic() - began >= 0.03
    error = failing.exception()
    assert isinstance(error, OpcodeError)
    assert error.code is ErrorCode.STORE_ERROR
    assert f"the database {path} failed: another process holds its lock" in error.message
    other.execute("ROLLBACK")
    await write(hasty)


async def test_who_waits_is_served_in_order(storage, other):
    other.execute("BEGIN IMMEDIATE")
    waiting = [asyncio.create_task(storage.commit([a_commit(first=number)])) for number in range(1, 21)]
    await asyncio.sleep(0.01)
    other.execute("ROLLBACK")
    # The lock is free, but those who came before have not noticed yet.
    waiting.append(asyncio.create_task(storage.commit([a_commit(first=21)])))
    await asyncio.gather(*waiting)
    log = (await storage.events(EventFilter("r1"))).items
    assert [event.sequence for event in log] == list(range(1, 22))


async def test_all_who_wait_give_up_together(hasty, other):
    """Nobody waits for the turns of those before him as well."""
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    commits = (hasty.commit([a_commit(f"new{number}")]) for number in range(20))
    outcomes = await asyncio.gather(*commits, return_exceptions=True)
    assert {outcome.code for outcome in outcomes} == {ErrorCode.STORE_ERROR}
    assert time.monotonic() - began < 0.5
    other.execute("ROLLBACK")
    await hasty.commit([a_commit("new")])
    assert ids((await hasty.runs(RunFilter())).items) == ["r1", "new"]


async def test_who_is_cancelled_while_waiting_wrote_nothing(storage, other):
    other.execute("BEGIN IMMEDIATE")
    first, second = (asyncio.create_task(storage.commit([a_commit(run_id)])) for run_id in ("r1", "r2"))
    await asyncio.sleep(0.005)
    first.cancel()
    other.execute("ROLLBACK")
    await second
    assert first.cancelled()
    assert ids((await storage.runs(RunFilter())).items) == ["r2"]


async def test_a_refusal_after_waiting_is_the_same(storage, other):
    await storage.commit([a_commit()])
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE workflows SET fence = 2")
    waiting = asyncio.create_task(storage.commit([a_commit(first=2)]))
    await asyncio.sleep(0.005)
    other.execute("COMMIT")
    with pytest.raises(OpcodeError, match="run r1 is driven by somebody else since then") as caught:
        await waiting
    assert caught.value.details == {"workflow_id": "r1", "fence": 2}


async def test_a_storage_that_is_closed_while_one_waits(storage, other):
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(storage.commit([a_commit()]))
    await asyncio.sleep(0.005)
    await storage.close()
    other.execute("ROLLBACK")
    with pytest.raises(OpcodeError, match="is not open"):
        await waiting
    await storage.open()
    await storage.commit([a_commit()])


async def test_the_end_of_a_transaction_waits_too(storage, other):
    """Without a write-ahead log a reader is in the way of COMMIT, not of BEGIN."""
    storage._database.connection.execute("PRAGMA journal_mode = DELETE")
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM workflows").fetchall()
    waiting = asyncio.create_task(storage.commit([a_commit("r1"), a_commit("r2")]))
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert not waiting.done()
    assert not storage._database.connection.in_transaction
    other.execute("ROLLBACK")
    await waiting
    assert len((await storage.runs(RunFilter())).items) == 2


async def test_reading_waits_where_it_must(storage, path):
    """Without a write-ahead log who writes is in the way of who reads."""
    await storage.commit([a_commit()])
    storage._database.connection.execute("PRAGMA journal_mode = DELETE")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    waiting = asyncio.create_task(storage.run("r1"))
    await asyncio.sleep(0.005)
    assert not waiting.done()
    other.execute("ROLLBACK")
    other.close()
    assert await waiting == a_run("r1", 1)


OTHER_PROCESS = """
import asyncio, sys
from opcode_core import Commit, Event, RunRecord
from opcode_sql.plugin import sqlite

async def main(url, name, count):
    storage = sqlite(url)
    await storage.open()
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(1, count + 1):
        event = Event(name, n, "step_completed", None, {}, "agent", 1.0)
        await storage.commit([Commit(RunRecord(name, "active", "h", None, None, "agent", 1.0, 1.0, n), [event])])
    claimed = []
    for n in range(100):
        claimed += await storage.claim([f"shared{n}"], name, 1.0)
    print(*(run.id for run in claimed))
    await storage.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


async def test_two_processes_write_and_claim_side_by_side(storage, path):
    await storage.commit([a_commit(f"shared{number}") for number in range(100)])
    for name in ("a", "b"):
        await storage.beat(name, 100.0)
    url = f"sqlite:///{path}?durability=normal&busy_timeout=60s"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", OTHER_PROCESS, url, name, "300"],
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
    claimed = [set(line.split()) for line, _ in said]
    assert not claimed[0] & claimed[1]
    assert len(claimed[0] | claimed[1]) == 100
    for name, mine in zip(("a", "b"), claimed, strict=True):
        log = (await storage.events(EventFilter(name), limit=1000)).items
        assert [event.sequence for event in log] == list(range(1, 301))
        assert {(await storage.run(run_id)).owner for run_id in mine} <= {name}
    assert await storage.check() == []
