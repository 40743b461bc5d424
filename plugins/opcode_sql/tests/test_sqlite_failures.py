"""What a person reads when the file, the disk or another process is in the way."""

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from opcode_core import Commit, ErrorCode, EventFilter, OpcodeError, RunFilter
from opcode_sql.plugin import sqlite
from opcode_testkit.storage.rows import a_commit, a_decision, a_message, a_run, an_event


@pytest.fixture
def path(tmp_path):
    return tmp_path / "opcode.db"


@pytest.fixture
async def storage(path):
    storage = sqlite(f"sqlite:///{path}?busy_timeout=50ms")
    await storage.open()
    yield storage
    await storage.close()


async def store_error(call, path, *said):
    with pytest.raises(OpcodeError) as caught:
        await call
    assert caught.value.code is ErrorCode.STORE_ERROR
    assert caught.value.details["path"] == str(path)
    for text in (str(path), *said):
        assert text in caught.value.message


async def test_a_locked_database(storage, path):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await store_error(storage.commit([a_commit()]), path, "another process holds its lock", "try again")
    assert (await storage.runs(RunFilter())).items == ()  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    await storage.commit([a_commit()])


async def test_a_full_disk(storage, path):
    await storage.commit([a_commit()])
    (pages,) = storage._database.connection.execute("PRAGMA page_count").fetchone()
    storage._database.connection.execute(f"PRAGMA max_page_count = {pages}")
    big = Commit(a_run(sequence=2, status="completed"), [an_event("r1", 2, payload={"a": "x" * 100_000})])
    await store_error(storage.commit([a_commit("r2"), big]), path, "the disk is full", "free some space")
    assert await storage.run("r1") == a_run(sequence=1)
    assert await storage.run("r2") is None
    storage._database.connection.execute("PRAGMA max_page_count = 1000000")
    await storage.commit([big])


async def test_a_file_that_is_no_database(path):
    path.write_text("Dear diary, " * 1000)
    before = path.read_bytes()
    call = sqlite(f"sqlite:///{path}").open()
    await store_error(call, path, "opening the database", "is not a SQLite database", "give another file")
    assert path.read_bytes() == before


async def test_a_damaged_file(storage, path):
    for number in range(50):
        await storage.commit([a_commit(f"r{number}", count=20)])
    await storage.close()
    body = bytearray(path.read_bytes())
    body[4096:] = os.urandom(len(body) - 4096)
    path.write_bytes(body)

    async def use():
        await storage.open()
        await storage.runs(RunFilter())

    await store_error(use(), path, "the file is damaged", "restore a copy")


async def test_a_row_that_is_no_json(storage, path):
    await storage.commit([a_commit()])
    storage._database.connection.execute("UPDATE events SET payload = '{'")
    await store_error(storage.events(EventFilter("r1")), path, "reading the database")


async def test_a_folder_in_place_of_the_file(tmp_path):
    await store_error(sqlite(f"sqlite:///{tmp_path}").open(), tmp_path, "Is a directory")


async def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "opcode.db"
    await store_error(sqlite(f"sqlite:///{path}").open(), path, "Not a directory")


@pytest.fixture
def public_folder():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_a_folder_that_may_not_be_written(public_folder, mode):
    """As a user without privileges, since nothing stops root."""
    folder = public_folder / "closed"
    folder.mkdir(mode=mode)
    code = (
        "import asyncio, os\n"
        "import opcode_sql.sqlite\n"
        "from opcode_core import OpcodeError\n"
        "from opcode_sql.plugin import sqlite\n"
        "storage = sqlite('sqlite:///closed/opcode.db')\n"
        "if os.geteuid() == 0: os.setgroups([]), os.setgid(65534), os.setuid(65534)\n"
        "try: asyncio.run(storage.open())\n"
        "except OpcodeError as error: print(error)\n"
    )
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=public_folder, check=True
    )
    assert done.stdout.startswith(f"STORE_ERROR: opening the database {folder}/opcode.db failed:")
    assert "Permission denied" in done.stdout
    assert "check the path and its permissions" in done.stdout


async def test_files_are_for_their_owner_alone(tmp_path):
    path = tmp_path / "a" / "b" / "opcode.db"
    old = os.umask(0)
    try:
        storage = sqlite(f"sqlite:///{path}")
        await storage.open()
        await storage.commit([a_commit()])
    finally:
        os.umask(old)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.rglob("*")}
    assert modes == {
        "a": 0o700,
        "b": 0o700,
        "opcode.db": 0o600,
        "opcode.db-wal": 0o600,
        "opcode.db-shm": 0o600,
    }
    await storage.close()


async def test_a_storage_that_is_not_open(path):
    storage = sqlite(f"sqlite:///{path}")
    await store_error(storage.run("r1"), path, "is not open")
    await store_error(storage.commit([a_commit()]), path, "is not open")
    await storage.open()
    await storage.close()
    await store_error(storage.run("r1"), path, "is not open")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**64, {1}, {1: 2}, b"x"], ids=repr)
async def test_what_is_not_json_is_refused_with_its_place(storage, value):
    bad = Commit(a_run(sequence=2), [an_event("r1", 1), an_event("r1", 2, payload={"a": value})])
    with pytest.raises(OpcodeError, match="run r1: the payload of event 2 cannot be stored") as caught:
        await storage.commit([a_commit("r2"), bad])
    assert caught.value.code is ErrorCode.VALIDATION_ERROR
    with pytest.raises(OpcodeError, match="run r1: the output cannot be stored"):
        await storage.commit([a_commit(output=value)])
    with pytest.raises(OpcodeError) as caught:
        await storage.commit([Commit(a_run(sequence=1), [an_event("r1", 1)], context={"a": value})])
    assert caught.value.code is ErrorCode.VALIDATION_ERROR
    assert (await storage.runs(RunFilter())).items == ()


async def test_a_decision_or_message_that_is_not_json_is_refused_with_its_place(storage):
    bad = {"a": float("nan")}
    for commit, said in (
        (replace(a_commit(), decisions=[a_decision(data=bad)]), "the data of decision d1"),
        (replace(a_commit(), decisions=[a_decision(answer=bad)]), "the answer of decision d1"),
        (replace(a_commit(), messages=[a_message(payload=bad)]), "the payload of message m1"),
    ):
        with pytest.raises(OpcodeError, match=f"run r1: {said} cannot be stored") as caught:
            await storage.commit([commit])
        assert caught.value.code is ErrorCode.VALIDATION_ERROR
    await storage.commit([a_commit()])
    with pytest.raises(OpcodeError) as caught:
        await storage.post(a_message(payload=bad))
    assert caught.value.code is ErrorCode.VALIDATION_ERROR
    assert await storage.messages() == []


@pytest.mark.parametrize(
    "call",
    [
        lambda storage: storage.run("\ud800"),
        lambda storage: storage.events(EventFilter("r1", after=2**70)),
        lambda storage: storage.runs(RunFilter(), 2**70),
        lambda storage: storage.template("x", 2**70),
    ],
)
async def test_values_that_sqlite_has_no_room_for(storage, call):
    with pytest.raises(OpcodeError) as caught:
        await call(storage)
    assert caught.value.code is ErrorCode.VALIDATION_ERROR


@pytest.mark.parametrize("durability", ["normal", "full"])
async def test_what_was_committed_survives_a_kill(path, durability):
    code = (
        "import asyncio, itertools, sys\n"
        "from opcode_core import Commit, Event, RunRecord\n"
        "from opcode_sql.plugin import sqlite\n"
        "async def main():\n"
        "    storage = sqlite(sys.argv[1])\n"
        "    await storage.open()\n"
        "    for n in itertools.count(1):\n"
        "        event = Event('r1', n, 'step_completed', None, {}, 'agent', 1.0)\n"
        "        row = RunRecord('r1', 'active', 'h', None, None, 'agent', 1.0, 1.0, n)\n"
        "        await storage.commit([Commit(row, [event])])\n"
        "        print(n, flush=True)\n"
        "asyncio.run(main())\n"
    )
    url = f"sqlite:///{path}?durability={durability}"
    process = subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line == "100\n":
            process.kill()
            break
    told = [100, *(int(line) for line in process.stdout.read().split("\n")[:-1])]
    process.stdout.close()
    process.wait()
    storage = sqlite(url)
    await storage.open()
    run = await storage.run("r1")
    log = (await storage.events(EventFilter("r1"), limit=100_000)).items
    assert run.sequence == len(log) == log[-1].sequence
    assert told[-1] <= run.sequence <= told[-1] + 1
    await storage.close()


@pytest.mark.parametrize(("durability", "level"), [("normal", 1), ("full", 2)])
async def test_durability_is_sqlites_synchronous(path, durability, level):
    storage = sqlite(f"sqlite:///{path}?durability={durability}")
    await storage.open()
    assert storage._database.connection.execute("PRAGMA synchronous").fetchone() == (level,)
    assert storage._database.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    await storage.close()
