"""`opcode gc` and `opcode doctor` on real databases, whole and damaged, and commands that only look."""

import json
import sqlite3
import time

import pytest

from opcode_core.tests.cli.conftest import ask, gate, hash_step, wait

FAIL = {"id": "f", "action": "workflow.fail", "params": {"reason": "enough"}}


@pytest.fixture
def database(home):
    """The rows themselves."""
    db = sqlite3.connect(home / ".opcode/opcode.db", isolation_level=None)
    yield db
    db.close()


@pytest.fixture
def zoo(opcode, workflow):
    """A completed, a failed and a suspended run."""
    assert opcode("run", workflow(hash_step(), name="good.json"), "-q").returncode == 0
    assert opcode("run", workflow(FAIL, name="bad.json"), "-q").returncode == 1
    assert opcode("run", workflow(ask("review", "yes"), name="asks.json"), "-q").returncode == 3


def test_gc_deletes_what_ended_long_ago(zoo, opcode, runs):
    assert opcode("gc", "--older-than", "1h").stdout == "deleted 0 runs that ended more than 1h ago\n"
    would = opcode("gc", "--older-than", "0s", "--dry-run")
    assert would.stdout == "2 runs that ended more than 0ms ago would be deleted\n"
    assert len(runs()) == 3
    done = json.loads(opcode("gc", "--json", OPCODE_RETENTION="10ms").stdout)
    assert done == {"older_than_seconds": 0.01, "dry_run": False, "count": 2}
    assert [run["name"] for run in runs()] == ["asks.json"]
    assert opcode("doctor").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        ([], {}, "say --older-than 30d, or set OPCODE_RETENTION: how long are runs kept?"),
        (["--older-than", "soon"], {}, "--older-than: cannot read the duration 'soon'"),
        ([], {"OPCODE_RETENTION": "-1d"}, "OPCODE_RETENTION: a duration cannot be negative"),
        ([], {"OPCODE_RETENTION": "0"}, "OPCODE_RETENTION is '0'; write how long runs are kept"),
        ([], {"OPCODE_RECOVERY": "wait"}, "OPCODE_RECOVERY is 'wait'; it must be one of resume, suspend"),
    ],
)
def test_how_long_runs_are_kept_must_be_said(opcode, arguments, variables, message):
    done = opcode("gc", *arguments, **variables)
    assert done.returncode == 2
    assert done.stderr.startswith(f"opcode: {message}")
    assert done.stderr.count("\n") == 1


def test_a_healthy_database(zoo, opcode, home):
    done = opcode("doctor")
    assert done.returncode == 0
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert all(line.startswith("✓ ") for line in lines)
    assert f"✓ sqlite:///{home}/.opcode/opcode.db is sound" in lines
    assert any(line.startswith("✓ 3 runs with ") for line in lines)
    assert "✓ no run is left behind, 1 not ended yet" in lines
    answer = json.loads(opcode("doctor", "--json").stdout)
    assert (answer["ok"], answer["count"], answer["findings"]) == (True, 0, [])
    assert (answer["examined"]["runs"], answer["examined"]["open"]) == (3, 1)


def test_a_damaged_database(zoo, opcode, runs, database):
    asks, bad, good = (run["workflow_id"] for run in runs())
    database.execute("UPDATE workflows SET output = '1' WHERE id = ?", [good])
    database.execute("DELETE FROM events WHERE workflow_id = ? AND sequence = 2", [bad])
    database.execute("UPDATE decisions SET status = 'resolved'")
    done = opcode("doctor")
    assert done.returncode == 1
    assert f"✗ run {good}: its row has another output than its log → believe its log" in done.stdout
    assert f"✗ run {bad}: its log has gaps" in done.stdout
    assert "its log waits for decision" in done.stdout
    assert asks in done.stdout
    assert done.stdout.endswith("findings\n")
    assert "✓ no message is left lying" in done.stdout
    answer = json.loads(opcode("doctor", "--json").stdout)
    assert not answer["ok"]
    assert {finding["workflow_id"] for finding in answer["findings"]} >= {good, asks}
    assert all(finding["remedy"] for finding in answer["findings"])


def test_a_file_that_is_no_database(opcode, home):
    (home / "notes.db").write_text("shopping list " * 100)
    done = opcode("--db-path", "notes.db", "doctor")
    assert done.returncode == 1
    assert "✗ STORE_ERROR: " in done.stdout
    assert "notes.db" in done.stdout
    assert "✓ the isolator " in done.stdout  # the rest is looked at all the same


def test_a_plugin_that_does_not_load(opcode, install):
    done = opcode("doctor", **install("ill", "import no_such_module"))
    assert done.returncode == 1
    assert "✗ plugin ill is broken: ModuleNotFoundError: No module named 'no_such_module'" in done.stdout
    assert "name ill in OPCODE_PLUGINS_DENY" in done.stdout


def test_without_a_storage(opcode):
    done = opcode("doctor", OPCODE_PLUGINS_DENY="sql")
    assert done.returncode == 1
    assert "✗ nothing is remembered here, for no storage is installed" in done.stdout


@pytest.mark.usefixtures("lab", "zoo")
def test_who_only_looks_changes_nothing(begin, opcode, workflow, home, runs, database):
    running = begin("run", workflow(gate("slow")), until="step_started")
    while not (home / "slow.calls").exists():
        time.sleep(0.01)
    running.kill()
    assert (
        opcode(
            "run", workflow(wait("nap", duration="1h"), timeout="1h", name="nap.json"), "--timeout", "1s"
        ).returncode
        == 1
    )
    left, ended = runs()[1]["workflow_id"], runs()[0]["workflow_id"]
    database.execute(
        "UPDATE workflows SET wakes_at = 1.0 WHERE id = ? AND owner IS NULL", [runs()[2]["workflow_id"]]
    )
    before = list(database.iterdump())
    for arguments in (
        ["status", left, "--events"],
        ["status", ended],
        ["query", "workflows"],
        ["query", "decisions"],
        ["query", "events", "--workflow-id", left],
        ["query", "templates"],
        ["diagram", left],
        ["doctor"],
        ["gc", "--older-than", "0s", "--dry-run"],
    ):
        assert opcode(*arguments).returncode == (1 if arguments == ["doctor"] else 0)
    assert list(database.iterdump()) == before
