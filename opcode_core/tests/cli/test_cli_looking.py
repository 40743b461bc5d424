"""Looking: validate, define, status, query, diagram, schema, plugins, version, help."""

import json
import subprocess
import sys

import pytest

from opcode_core.tests.cli.conftest import OPCODE, hash_step


@pytest.fixture
def finished(opcode, workflow) -> str:
    """The id of a run with a failure in it."""
    fail = {
        "id": "bad",
        "action": "assert.equals",
        "params": {"expected": 1, "actual": 2},
        "depends_on": ["h"],
    }
    opcode("run", workflow(hash_step(), fail), "-q")
    return json.loads(opcode("query", "workflows", "--json").stdout)["workflows"][0]["workflow_id"]


def test_validate(opcode, workflow):
    assert opcode("validate", workflow(hash_step())).stdout == "w.json: valid, 1 step\n"
    late = {"id": "l", "action": "crypto.hash", "params": {"data": "${{steps.h.hash}}"}}
    warned = opcode("validate", workflow(hash_step(), late))
    assert warned.returncode == 0
    assert "step 'l' reads step 'h' but does not wait for it" in warned.stderr
    assert json.loads(opcode("validate", "w.json", "--json").stdout)["warnings"][0]["path"] == "steps[1]"


def test_validate_lists_every_fault_with_its_path(opcode, workflow):
    file = workflow(hash_step(params={"dat": 1}), {"id": "x", "action": "crypto.hahs"})
    done = opcode("validate", file)
    assert done.returncode == 1
    assert "steps[0].params: unknown param 'dat' (did you mean 'data'?)" in done.stderr
    assert "steps[1].action: unknown action 'crypto.hahs' (did you mean 'crypto.hash'?)" in done.stderr
    answer = json.loads(opcode("validate", file, "--json").stdout)
    assert answer["valid"] is False
    assert {issue["path"] for issue in answer["issues"]} == {"steps[0].params", "steps[1].action"}


def test_define_makes_versions_that_can_be_run(opcode, workflow, home):
    (home / "schema.json").write_text(
        '{"type": "object", "properties": {"n": {"type": "integer", "default": 7}}}'
    )
    file = workflow(hash_step(), name="daily.json", output={"n": "${{inputs.n}}"})
    first = opcode("define", file, "--input-schema", "schema.json", "--description", "every day")
    assert "daily v1" in first.stdout
    assert json.loads(opcode("define", file, "--json").stdout) == {
        "name": "daily",
        "version": "v2",
        "warnings": [],
    }
    assert json.loads(opcode("run", "daily", "--version", "v1", "-q").stdout) == {"n": 7}
    refused = opcode("run", "daily", "--version", "v1", "-p", "n=x", "-q")
    assert refused.returncode == 1
    assert "params.n: should be integer, got 'x'" in refused.stderr
    (newest,) = json.loads(opcode("query", "templates", "--json").stdout)["templates"]
    assert (newest["name"], newest["version"]) == ("daily", "v2")
    assert "has no version v9" in opcode("run", "daily", "--version", "v9").stderr


def test_status_shows_steps_errors_and_the_log(opcode, finished):
    done = opcode("status", finished[-8:], "--events")
    assert done.returncode == 0
    for expected in (
        "✗ failed",
        "ASSERTION_FAILED: expected 1, got 2",
        "✓ completed",
        "step_failed",
        "workflow_started",
    ):
        assert expected in done.stdout
    answer = json.loads(opcode("status", finished, "--json").stdout)
    assert answer["steps"]["bad"]["error"]["step_id"] == "bad"
    assert answer["events"] is None


def test_a_run_that_does_not_exist(opcode):
    done = opcode("status", "nope")
    assert done.returncode == 1
    assert done.stderr == "opcode: NOT_FOUND: there is no run 'nope'\n"


def test_query(opcode, finished):
    assert finished in opcode("query", "workflows").stdout
    assert opcode("query", "workflows", "--status", "completed").stdout == "no workflows\n"
    events = json.loads(opcode("query", "events", "--workflow-id", finished, "--json").stdout)["events"]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["event_type"] == "workflow_started"
    page = json.loads(opcode("query", "events", "--workflow-id", finished, "--limit", "2", "--json").stdout)
    following = opcode(
        "query", "events", "--workflow-id", finished, "--limit", "2", "--cursor", page["cursor"], "--json"
    )
    assert json.loads(following.stdout)["events"][0]["sequence"] == 3
    assert "step_failed" in opcode("query", "events", "--event-type", "step_failed").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["query", "events"], "name a --workflow-id or an --event-type"),
        (["query", "workflows", "--since", "yesterday"], "--since 'yesterday' is not a time"),
        (["query", "workflows", "--limit", "0"], "0 is not in the range"),
        (["diagram", "x", "--format", "oil"], "no installed plugin draws 'oil'"),
    ],
)
def test_wrong_questions(opcode, arguments, message):
    done = opcode(*arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_diagrams_of_a_file_a_template_and_a_run(opcode, workflow, finished, home):
    assert "crypto.hash" in opcode("diagram", "w.json").stdout
    opcode("define", workflow(hash_step("only")), "--name", "t")
    assert "only" in opcode("diagram", "t").stdout
    drawn = opcode("diagram", finished).stdout
    assert "[OK]" in drawn
    assert "[FAIL]" in drawn
    assert json.loads(opcode("diagram", "t", "--json").stdout)["format"] == "ascii"
    opcode("diagram", "t", "-o", "t.txt")
    assert "only" in (home / "t.txt").read_text()
    assert "there is no file, template or run 'nope'" in opcode("diagram", "nope").stderr


def test_the_schema_is_one_that_accepts_workflows(opcode):
    from jsonschema import Draft202012Validator

    schema = json.loads(opcode("schema").stdout)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"steps": [hash_step(timeout="5s")]})
    assert not validator.is_valid({"steps": [hash_step(timeot="5s")]})


def test_plugins_are_listed_with_what_they_add(opcode):
    rows = {row["name"]: row for row in json.loads(opcode("plugins", "list", "--json").stdout)["plugins"]}
    assert rows["crypto"]["state"] == "active"
    assert "crypto.hash" in rows["crypto"]["adds"]["action"]
    assert "crypto.hash" in opcode("plugins", "list").stdout


def test_a_denied_plugin_is_left_out_and_shown(opcode, workflow):
    rows = json.loads(opcode("plugins", "list", "--json", OPCODE_PLUGINS_DENY="crypto").stdout)["plugins"]
    assert {row["name"]: row["state"] for row in rows}["crypto"] == "denied"
    done = opcode("run", workflow(hash_step()), OPCODE_PLUGINS_DENY="crypto")
    assert done.returncode == 1
    assert "unknown action 'crypto.hash' (is opcode-crypto installed?" in done.stderr


def test_version_and_help(opcode):
    assert opcode("version").stdout.startswith("opcode ")
    assert "version" in json.loads(opcode("version", "--json").stdout)
    assert "Commands:" in opcode("--help").stdout
    assert "Commands:" in opcode().stdout + opcode().stderr


def test_help_imports_nothing_heavy(home, environment):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "opcode_core", "--help"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in imported
    assert imported.isdisjoint(
        {"pydantic", "rich.console", "sqlalchemy", "sqlmodel", "jsonschema", "celpy", "httpx2"}
    )


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"OPCODE_POOL_SIZE": "many"}, "OPCODE_POOL_SIZE is 'many'; it must be a number from 1 to 10000"),
        (
            {"OPCODE_LOG_LEVEL": "loud"},
            "OPCODE_LOG_LEVEL is 'loud'; it must be one of debug, info, warning, error",
        ),
        ({"OPCODE_STORAGE": "tape:///x"}, "no installed plugin offers the storage 'tape'"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(opcode, variables, message):
    done = opcode("query", "workflows", **variables)
    assert done.returncode == 2
    assert done.stderr.startswith(f"opcode: {message}")


def test_a_settings_file_that_is_broken_is_named(opcode, home):
    (home / ".opcode").mkdir()
    (home / ".opcode/settings.json").write_text('{"poolsize": 3}')
    done = opcode("query", "workflows")
    assert done.returncode == 2
    assert "unknown setting 'poolsize'; did you mean 'pool_size'?" in done.stderr


def test_a_database_that_is_none_is_one_clear_line(opcode, home):
    (home / "notes.db").write_text("shopping list " * 100)
    done = opcode("--db-path", "notes.db", "query", "workflows")
    assert done.returncode == 1
    assert "STORE_ERROR" in done.stderr
    assert "notes.db" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_closed_pipe_ends_quietly(home, environment):
    done = subprocess.run(
        f"{OPCODE} schema | head -1", shell=True, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "{"
    assert "Traceback" not in done.stderr
