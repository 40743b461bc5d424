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
        (["query", "workflows", "--status", "happy"], "'happy' is not one of 'pending', 'active'"),
        (["define", "-"], "a workflow from standard input needs --name"),
        (["define", "w.json"], "there is no file w.json"),
        (["validate", "nothing"], "there is no file nothing"),
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
    assert opcode("--version").stdout == opcode("version").stdout
    assert "Commands:" in opcode("--help").stdout
    bare = opcode(OPCODE_PLUGINS_DENY="server")  # which bare `opcode` would start
    assert (bare.returncode, bare.stdout) == (0, opcode("--help", OPCODE_PLUGINS_DENY="server").stdout)


def test_help_is_there_whatever_is_set_wrongly(opcode):
    done = opcode("--help", OPCODE_POOL_SIZE="many")
    assert done.returncode == 0
    assert "Commands:" in done.stdout
    assert done.stderr.startswith("opcode: OPCODE_POOL_SIZE is 'many'")


def test_the_module_is_the_command_too(home, environment):
    done = subprocess.run(
        [sys.executable, "-m", "opcode_core", "version"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("opcode ")


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


@pytest.mark.parametrize("command", ["schema | head -1", "version | sleep 0", "query workflows | sleep 0"])
def test_a_closed_pipe_ends_quietly(home, environment, command):
    done = subprocess.run(
        f"{OPCODE} {command}", shell=True, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


def test_where_output_is_not_unicode_marks_become_escapes(opcode, finished):
    done = opcode("status", finished, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "\\u2717 failed" in done.stdout


def test_errors_are_json_too_for_who_asked_for_json(opcode, workflow):
    done = opcode("status", "nope", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"] == {
        "code": "NOT_FOUND",
        "message": "there is no run 'nope'",
        "details": {},
        "step_id": None,
    }
    wrong = opcode("run", "--json")
    assert wrong.returncode == 2
    assert json.loads(wrong.stdout)["error"]["message"] == "Missing argument 'FILE|TEMPLATE'."
    refused = opcode("run", workflow({"id": "a", "action": "no.such"}), "--json")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["error"]["details"]["issues"][0]["path"] == "steps[0].action"


def test_rows_stay_whole_in_a_pipe(opcode, finished):
    for command in (["query", "workflows"], ["status", finished, "--events"], ["plugins", "list"]):
        lines = opcode(*command, COLUMNS="40").stdout.splitlines()
        assert any(len(line) > 60 for line in lines)
        assert all(line == line.rstrip() for line in lines)
    (row,) = opcode("query", "workflows").stdout.splitlines()[1:]
    assert row.startswith(finished)
    assert row.endswith("expected 1, got 2")


def test_status_tells_the_details_of_the_cause(opcode, workflow):
    shell = {"command": "sh", "args": ["-c", "echo boom >&2; exit 3"], "fail_on_error": True}
    step = {"id": "s", "action": "shell.exec", "params": shell, "retry": {"max": 1}}
    opcode("run", workflow(step), "-q")
    (run,) = json.loads(opcode("query", "workflows", "--json").stdout)["workflows"]
    shown = opcode("status", run["workflow_id"]).stdout
    assert "RETRY_EXHAUSTED: failed 2 times" in shown
    assert "\n  exit_code: 3\n" in shown
    assert "\n  stderr: boom\n" in shown


def test_status_shows_a_long_loop_by_its_last_iteration(opcode, workflow):
    body = [hash_step(params={"data": "${{loop.item}}"})]
    items = [str(number) for number in range(60)]
    file = workflow(
        {"id": "sweep", "type": "loop", "config": {"over": items, "body": body}}, hash_step("end")
    )
    opcode("run", file, "-q")
    (run,) = json.loads(opcode("query", "workflows", "--json").stdout)["workflows"]
    shown = opcode("status", run["workflow_id"]).stdout
    assert "sweep.iter_59.h" in shown
    assert "sweep.iter_58.h" not in shown
    assert "of earlier iterations: --json has them all" in shown
    assert "sweep.iter_58.h" in json.loads(opcode("status", run["workflow_id"], "--json").stdout)["steps"]


def test_what_a_workflow_says_never_moves_the_cursor(opcode, terminal, workflow, home):
    emit = {"event_type": "a\x1b[35m", "payload": {"x": "\x9b2J"}}
    steps = (
        {"id": "e", "action": "workflow.emit", "params": emit},
        {"id": "f", "action": "workflow.fail", "params": {"reason": "\x1b]0;x\x07"}, "depends_on": ["e"]},
    )
    assert "\x1b" not in opcode("run", workflow(*steps)).stderr
    (run,) = json.loads(opcode("query", "workflows", "--json").stdout)["workflows"]
    for command in (["status", run["workflow_id"], "--events"], ["status", run["workflow_id"], "--json"]):
        code, shown = terminal(*command)
        assert code == 0
        assert shown.count("workflow_") or shown.count("workflow_id")
        for sequence in ("\x07", "\x9b", "\x1b]", "\x1b[35m"):
            assert sequence not in shown
