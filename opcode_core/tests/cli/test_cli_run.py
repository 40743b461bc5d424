"""`opcode run`: output on standard output, progress on standard error, the outcome as exit code."""

import json
import os
import pty
import signal
import subprocess
import time

import pytest

from opcode_core.tests.cli.conftest import OPCODE, hash_step

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


def test_on_a_terminal_steps_appear_as_they_go(workflow, home, environment):
    file = workflow(
        hash_step("first"),
        {"id": "nap", "type": "wait", "config": {"duration": "300ms"}, "depends_on": ["first"]},
    )
    main, side = pty.openpty()
    running = subprocess.Popen(
        [OPCODE, "run", file],
        cwd=home,
        env={**environment, "TERM": "xterm-256color"},
        stderr=side,
        stdout=side,
        stdin=side,
    )
    os.close(side)
    shown = b""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            part = os.read(main, 65536)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        shown += part
    assert running.wait(timeout=10) == 0
    text = shown.decode()
    for expected in ("first", "crypto.hash", "nap", "✓", "completed", "opcode status"):
        assert expected in text
    assert "\x1b[" in text
