"""`opcode run`: output on standard output, progress on standard error, the outcome as exit code."""

import json
import signal
import subprocess

import pytest

from opcode_core.tests.cli.conftest import OPCODE, hash_step, plain

FAIL = {"id": "f", "action": "workflow.fail", "params": {"reason": "enough"}}


def test_a_run_prints_its_output_and_says_how_to_look_again(opcode, workflow):
    done = opcode("run", workflow(hash_step()))
    assert done.returncode == 0
    assert json.loads(done.stdout)["h"]["hash"].startswith("ba7816bf")
    assert "step_completed" in done.stderr
    run_id = done.stderr.split("opcode status ")[1].split()[0]
    assert opcode("status", run_id).returncode == 0


def test_a_failed_run_has_exit_code_1_and_one_line_that_says_why(opcode, workflow):
    done = opcode("run", workflow(FAIL), "-q")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == "opcode: NON_RETRYABLE: enough (step f)\n"


def test_json_has_everything_on_standard_output(opcode, workflow):
    done = opcode("run", workflow(hash_step(), FAIL), "--json", "-q")
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert answer["status"] == "failed"
    assert answer["steps"]["h"]["status"] == "completed"
    assert answer["error"]["code"] == "NON_RETRYABLE"
    assert done.stderr == ""


def test_params_are_json_where_they_are_json_else_text_or_a_file(opcode, workflow, home):
    (home / "note.txt").write_text('say "hi"')
    (home / "all.json").write_text('{"n": 1, "kept": true}')
    file = workflow(hash_step(), inputs={}, output={"inputs": "${{ inputs }}"})
    done = opcode(
        "run",
        file,
        "--params",
        "all.json",
        "-p",
        "n=2",
        "-p",
        "list=[1]",
        "-p",
        "text=a b",
        "-p",
        "note=@note.txt",
    )
    assert json.loads(done.stdout)["inputs"] == {
        "n": 2,
        "kept": True,
        "list": [1],
        "text": "a b",
        "note": 'say "hi"',
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "missing.json"], "there is no file missing.json"),
        (["run", "w.json", "-p", "novalue"], "-p 'novalue': write key=value"),
        (["run", "w.json", "-p", "a=@none"], "none cannot be read"),
        (["run", "w.json", "--params", "w.txt"], "not JSON"),
        (["run"], "Missing argument 'FILE|TEMPLATE'"),
        (["rnu", "w.json"], "there is no command 'rnu'; did you mean 'run'?"),
        (["run", "w.json", "--quick"], "No such option"),
        (["run", "w.json", "--timeout", "soon"], "--timeout: cannot read the duration 'soon'"),
        (["run", "t", "--no-store"], "a template comes from the storage"),
        (["run", "-", "--params", "-"], "cannot be both the workflow and its --params"),
    ],
)
def test_wrong_usage_has_exit_code_2_and_says_what_to_do(opcode, workflow, home, arguments, message):
    workflow(hash_step())
    (home / "w.txt").write_text("{")
    done = opcode(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_template_that_does_not_exist_offers_the_nearest(opcode, workflow):
    assert opcode("define", workflow(hash_step()), "--name", "report").returncode == 0
    done = opcode("run", "reprot")
    assert done.returncode == 1
    assert "there is no template 'reprot'; did you mean 'report'?" in done.stderr


def test_a_definition_with_faults_lists_them_all_and_starts_nothing(opcode, workflow):
    done = opcode("run", workflow({"id": "a", "action": "crypto.hsh"}, {"id": "a", "depend_on": []}))
    assert done.returncode == 1
    assert "3 faults" in done.stderr or "faults" in done.stderr
    assert "unknown field 'depend_on' (did you mean 'depends_on'?)" in done.stderr
    assert json.loads(opcode("query", "workflows", "--json").stdout)["workflows"] == []


def test_a_workflow_may_come_from_standard_input(opcode):
    done = opcode("run", "-", "-q", stdin=json.dumps({"steps": [hash_step()]}))
    assert done.returncode == 0
    assert "hash" in done.stdout


def test_an_interrupt_cancels_the_run_in_good_order(opcode, workflow, home, environment):
    file = workflow({"id": "nap", "type": "wait", "config": {"duration": "10m"}})
    running = subprocess.Popen(
        [OPCODE, "run", file], cwd=home, env=environment, stderr=subprocess.PIPE, text=True
    )
    assert running.stderr is not None
    for line in running.stderr:
        if "workflow_started" in line:
            break
    running.send_signal(signal.SIGINT)
    rest = running.communicate(timeout=30)[1]
    assert running.returncode == 1
    assert "Traceback" not in rest
    assert "CANCELLED: interrupted" in rest
    (run,) = json.loads(opcode("query", "workflows", "--json").stdout)["workflows"]
    assert run["status"] == "cancelled"


def test_a_run_that_takes_longer_than_its_timeout_is_cancelled(opcode, workflow):
    file = workflow({"id": "nap", "type": "wait", "config": {"duration": "10m"}})
    done = opcode("run", file, "--timeout", "200ms")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "opcode: CANCELLED: it took longer than --timeout 0.2 s\n" in done.stderr
    assert json.loads(opcode("query", "workflows", "--status", "cancelled", "--json").stdout)["workflows"]


def test_a_run_that_is_not_to_be_stored_leaves_nothing(opcode, workflow, home):
    done = opcode("run", workflow(hash_step()), "--no-store")
    assert done.returncode == 0
    assert "look again" not in done.stderr
    assert not (home / ".opcode").exists()


def test_a_run_that_is_not_stored_cannot_be_answered(opcode, workflow):
    done = opcode(
        "run", workflow({"id": "w", "type": "wait", "config": {"signal": "go"}}), "--no-store", "-q"
    )
    assert done.returncode == 3
    assert done.stderr.endswith("is suspended, and forgotten now: it was not stored\n")


def test_a_flag_names_the_database_whatever_the_environment_says(opcode, workflow, home):
    done = opcode("--db-path", "mine.db", "run", workflow(hash_step()), "-q", OPCODE_STORAGE="tape:///x")
    assert done.returncode == 0
    assert (home / "mine.db").exists()
    assert opcode("run", "w.json", "-q", OPCODE_DB_PATH="other.db").returncode == 0
    assert (home / "other.db").exists()


def test_a_workflow_may_come_from_a_pipe_with_a_name(home, environment, workflow):
    file = workflow(hash_step())
    done = subprocess.run(
        ["bash", "-c", f"{OPCODE} run <(cat {file}) -q"],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "hash" in done.stdout


def test_text_that_is_no_unicode_is_put_out_as_it_can_be_read_back(opcode, workflow):
    done = opcode("run", workflow(hash_step(), output={"text": "half \ud83d"}), "-q")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"text": "half \ud83d"}


def test_in_a_pipe_progress_is_a_line_an_event(opcode, workflow, install):
    found = install("flaky", FLAKY)
    file = workflow(
        {"id": "shaky", "action": "flaky.once", "retry": {"max": 2, "delay": "20ms", "backoff": "constant"}},
        {"id": "bad", "action": "workflow.fail", "params": {"reason": "no"}, "depends_on": ["shaky"]}
        | {"on_error": {"strategy": "fallback_step", "fallback_step": "spare"}},
        hash_step("spare"),
        hash_step("never", condition="1 > 2"),
    )
    done = opcode("run", file, **found)
    assert done.returncode == 0
    lines = [line.split(maxsplit=1)[1] for line in done.stderr.splitlines() if "  " in line[:15]]
    told = [" ".join(line.split()) for line in lines]
    assert told[0].startswith("workflow_started run ")
    assert "step_started shaky" in told
    assert "step_retrying shaky try 1 failed, again in 20ms: wobbly" in told
    assert "step_retry_attempt shaky" in told
    assert any(line.startswith("step_completed shaky ") and line.endswith("ms") for line in told)
    assert "step_fallback bad → spare" in told
    assert any("its condition is false: 1 > 2" in line for line in told)
    assert not any(line.startswith("step_started spare") for line in told)
    assert any(line.startswith("workflow_completed ") for line in told)
    assert "Traceback" not in done.stderr


FLAKY = """
import asyncio
from opcode_core import ActionContext, ErrorCode, OpcodeError, action, hookimpl

@action("flaky.once", effect="idempotent")
async def once(ctx: ActionContext) -> dict:
    "Fail at the first try."
    await asyncio.sleep(0.15)
    if ctx.attempt == 1:
        raise OpcodeError(ErrorCode.EXECUTION_ERROR, "wobbly")
    return {}

@action("flaky.slow")
async def slow() -> dict:
    "Take a while."
    await asyncio.sleep(0.15)
    return {}

@hookimpl
def opcode_actions():
    return [once, slow]
"""


def test_on_a_terminal_steps_appear_as_they_go(terminal, workflow, install):
    found = install("flaky", FLAKY)
    nap = {"id": "nap", "action": "flaky.slow"}
    file = workflow(
        hash_step("first"),
        {"id": "shaky", "action": "flaky.once", "retry": {"max": 1, "delay": "300ms", "backoff": "constant"}},
        {"id": "sweep", "type": "loop", "config": {"over": [1, 2, 3], "body": [nap]}},
        hash_step("never", condition="1 > 2"),
    )
    code, shown = terminal("run", file, **found)
    assert code == 0
    assert "\x1b[" in shown
    text = plain(shown)
    for expected in ("try 1 failed, again in ", "wobbly", "iter_1.nap", "2 iterations", "▸ active for "):
        assert expected in text
    last = text[text.rindex("✓  first") :]
    rows = [line.split() for line in last.splitlines()]
    assert rows[0][:3] == ["✓", "first", "crypto.hash"]
    assert rows[1][:3] == ["✓", "shaky", "flaky.once"]
    assert rows[1][-2:] == ["2", "tries"]
    assert rows[2][:3] == ["✓", "sweep", "loop"]
    assert rows[2][-2:] == ["3", "iterations"]
    assert "↷  never" in last
    assert "its condition is false" in last
    assert rows[4][:3] == ["✓", "completed", "in"]
    assert '{\n  "first"' in last
    assert f"opcode diagram {rows[4][-1]}\n" in last


def test_on_a_terminal_many_steps_leave_room_for_those_that_run(terminal, workflow):
    steps = [hash_step(f"s{number}") for number in range(50)]
    nap = {"id": "nap", "type": "wait", "config": {"duration": "300ms"}}
    code, shown = terminal("run", workflow(*steps, nap))
    assert code == 0
    text = plain(shown)
    assert "nap" in text
    assert "s49" in text
    assert "steps done" in text


def test_a_dumb_terminal_gets_lines(terminal, workflow):
    code, shown = terminal("run", workflow(hash_step()), TERM="dumb")
    assert code == 0
    assert "step_completed         h" in shown
    assert "\x1b" not in shown
