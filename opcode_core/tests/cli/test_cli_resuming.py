"""A run that lost its process, by kill -9 or SIGTERM, goes on where it was: `opcode resume`."""

import json
import signal
import time

import pytest

from opcode_core.tests.cli.conftest import ask, gate, hash_step, wait

pytestmark = pytest.mark.usefixtures("lab")


@pytest.fixture
def killed(begin, workflow, home):
    """Kill a run while its step `slow` is in flight, and let the next try of that end at once."""

    def kill(*steps, name="w.json"):
        for left in (home / "slow", home / "slow.calls"):
            left.unlink(missing_ok=True)
        running = begin("run", workflow(*steps, name=name), until="step_started")
        until((home / "slow.calls").exists)
        running.kill()
        running.communicate()
        (home / "slow").touch()

    return kill


def until(holds):
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def told(stderr):
    """The lines of progress, without their times and durations."""
    return [" ".join(line.split()[1:3]) for line in stderr.splitlines() if line[2:3] == ":"]


def test_a_killed_run_is_found_and_finished(killed, opcode, runs, home):
    (home / "first").touch()
    killed(
        gate("first"),
        gate("slow", depends_on=["first"]),
        hash_step("last", depends_on=["slow"]),
    )
    (left,) = runs()
    assert left["status"] == "active"
    sick = opcode("doctor")
    assert sick.returncode == 1
    assert f"run {left['workflow_id']}: it is active, but the process that drove it is gone" in sick.stdout
    assert f"→ opcode resume {left['workflow_id']}\n" in sick.stdout
    done = opcode("resume")
    assert done.returncode == 0
    assert json.loads(done.stdout)["last"]["hash"]
    assert told(done.stderr)[:3] == [
        "workflow_interrupted",
        "workflow_resumed interrupted",
        "step_retrying slow",
    ]
    assert len((home / "first.calls").read_text().splitlines()) == 1  # what is done is not done again
    first, second = (home / "slow.calls").read_text().splitlines()
    assert first == second  # the same idempotency key
    assert opcode("doctor").returncode == 0
    assert opcode("resume").stdout == "nothing is left to go on with\n"


def test_a_named_run_alone_is_resumed(killed, opcode, runs):
    killed(gate("slow"), name="one.json")
    killed(gate("slow"), name="two.json")
    two, one = runs()
    done = opcode("resume", one["workflow_id"][-10:], "-q")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"slow": {"name": "slow"}}
    assert done.stderr == ""
    assert [run["status"] for run in runs()] == ["active", "completed"]
    log = json.loads(opcode("query", "events", "--workflow-id", one["workflow_id"], "--json").stdout)
    kinds = [event["event_type"] for event in log["events"]]
    assert kinds[kinds.index("workflow_interrupted") + 1] == "workflow_resumed"
    both = opcode("resume", one["workflow_id"], two["workflow_id"])
    assert both.returncode == 0
    assert sorted(line.split()[1:3] for line in both.stdout.splitlines()) == sorted(
        ["completed", run["workflow_id"]] for run in (one, two)
    )


def test_several_are_resumed_together_and_the_worst_is_the_exit_code(killed, opcode, runs):
    killed(gate("slow"), name="good.json")
    killed(gate("slow"), ask("review", "yes", after="slow"), name="asks.json")
    done = opcode("resume", OPCODE_PLUGINS_DENY="vault")
    assert done.returncode == 3
    assert sorted(line.split()[1] for line in done.stdout.splitlines()) == ["completed", "suspended"]
    assert done.stderr == "opcode: going on with 2 runs\n"


def test_resume_as_json(killed, opcode):
    killed(gate("slow"), {"id": "bad", "action": "workflow.fail", "depends_on": ["slow"], "params": {}})
    done = opcode("resume", "--json", OPCODE_PLUGINS_DENY="vault")
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert [run["status"] for run in answer["workflows"]] == ["failed"]
    assert done.stderr == ""
    assert json.loads(opcode("resume", "--json").stdout) == {"workflows": [], "held": []}


def test_parent_and_child_that_died_together_go_on_together(killed, opcode, workflow, runs):
    opcode("define", workflow(gate("slow"), name="kid.json"))
    child = {"id": "kid", "action": "workflow.run", "params": {"template_name": "kid"}}
    killed(child, hash_step("end", depends_on=["kid"]))
    parent = next(run for run in runs() if run["parent_id"] is None)
    done = opcode("resume", parent["workflow_id"], "-q")
    assert done.returncode == 0
    assert json.loads(done.stdout)["end"]["hash"]
    assert [run["status"] for run in runs()] == ["completed", "completed"]


def test_sigterm_lets_a_step_end_and_says_how_to_go_on(begin, opcode, workflow, home, runs):
    file = workflow(gate("slow"), gate("next", depends_on=["slow"]))
    running = begin("run", file, until="step_started           slow")
    until((home / "slow.calls").exists)
    running.send_signal(signal.SIGTERM)
    for line in running.stderr:
        if "SIGTERM: steps in flight have 10 s" in line:
            break
    (home / "slow").touch()
    out, err = running.communicate(timeout=30)
    assert running.returncode == 3
    assert out == ""
    assert "step_completed         slow" in err
    (run,) = runs()
    assert f"go on with it: opcode resume {run['workflow_id']}\n" in err
    assert not (home / "next.calls").exists()
    (home / "next").touch()
    done = opcode("resume", run["workflow_id"], "-q")
    assert json.loads(done.stdout) == {"next": {"name": "next"}}
    assert len((home / "slow.calls").read_text().splitlines()) == 1


def test_sigterm_leaves_a_wait_to_whoever_resumes_it(begin, opcode, workflow, runs):
    running = begin("run", workflow(wait("nap", duration="4s")), "--json", until="step_suspended")
    running.send_signal(signal.SIGTERM)
    out, _ = running.communicate(timeout=30)
    assert running.returncode == 3
    answer = json.loads(out)
    assert answer["status"] == "active"
    assert answer["steps"]["nap"]["waiting"]["for"] == "time"
    assert opcode("resume", "-q").returncode == 0
    (run,) = runs()
    assert 3900 < run["duration_ms"] < 15_000


def test_an_interrupted_resume_leaves_the_run_as_it_is(killed, begin, opcode, runs):
    killed(gate("slow"), wait("nap", duration="10m") | {"depends_on": ["slow"]})
    for number, sign in ((signal.SIGINT, "step_suspended"), (signal.SIGTERM, "nap waits until ")):
        resuming = begin("resume", until=sign)
        resuming.send_signal(number)
        _, err = resuming.communicate(timeout=30)
        assert resuming.returncode == 3
        assert "go on with it: opcode resume" in err
    assert [run["status"] for run in runs()] == ["active"]


def test_an_interrupted_resume_of_several_leaves_them_all(killed, begin, opcode, runs, home):
    killed(gate("slow"), wait("nap", duration="10m"), name="one.json")
    killed(gate("slow"), wait("nap", duration="10m"), name="two.json")
    resuming = begin("resume", until="going on with 2 runs")
    until(lambda: len((home / "slow.calls").read_text().splitlines()) == 3)  # one of before, two of now
    resuming.send_signal(signal.SIGTERM)
    _, err = resuming.communicate(timeout=30)
    assert resuming.returncode == 3
    assert err.endswith("opcode: what has not ended is left as it is: opcode resume\n")
    assert [run["status"] for run in runs()] == ["active", "active"]


def test_what_another_process_drives_is_left_alone(begin, opcode, workflow, home, runs):
    running = begin("run", workflow(gate("slow")), until="step_started")
    (run,) = runs()
    named = opcode("resume", run["workflow_id"])
    assert named.returncode == 0
    assert named.stderr == (
        f"opcode: run {run['workflow_id']} goes on in another process: opcode status {run['workflow_id']}\n"
    )
    assert opcode("resume").stdout == "nothing is left to go on with\n"
    (home / "slow").touch()
    running.communicate(timeout=30)
    assert running.returncode == 0


def test_a_held_run_is_named_with_what_to_do(opcode, workflow, runs):
    file = workflow(wait("nap", duration="10m"), timeout="300ms", on_timeout="suspend")
    held = opcode("run", file)
    assert held.returncode == 3
    (run,) = runs()
    run_id = run["workflow_id"]
    assert f"run {run_id} is held (timeout) until somebody says how it goes on" in held.stderr
    assert f"\n  opcode signal {run_id} retry\n" in held.stderr
    for arguments, code in (([], 0), ([run_id], 3)):
        done = opcode("resume", *arguments)
        assert done.returncode == code
        assert f"run {run_id} is held (timeout): opcode signal {run_id} retry, or cancel\n" in done.stderr
    assert json.loads(opcode("status", run_id, "--json").stdout)["held"] == "timeout"


def test_a_deadline_that_passed_meanwhile_counts(opcode, workflow, runs):
    asked = opcode("run", workflow(ask("review", "yes", "no", timeout="200ms", fallback="no")), "-q")
    assert asked.returncode in (0, 3)  # the time may be over before the command is
    done = opcode("resume", runs()[0]["workflow_id"], "-q")
    assert done.returncode == 0
    choice = json.loads(done.stdout)["review"]
    assert (choice["choice"], choice["resolved_by"]) == ("no", "system")


def test_a_run_that_needs_what_is_not_installed_is_named(killed, opcode, runs):
    killed(gate("slow"))
    done = opcode("resume", OPCODE_PLUGINS_DENY="lab")
    assert done.returncode == 1
    assert f"run {runs()[0]['workflow_id']} cannot go on here: " in done.stderr
    assert "lab.gate" in done.stderr
    assert "lab.gate" in opcode("doctor", OPCODE_PLUGINS_DENY="lab").stdout


def test_a_run_that_has_ended_is_only_told(opcode, workflow, runs):
    opcode("run", workflow({"id": "bad", "action": "workflow.fail", "params": {"reason": "no"}}), "-q")
    done = opcode("resume", runs()[0]["workflow_id"], "-q")
    assert done.returncode == 1
    assert done.stderr == "opcode: NON_RETRYABLE: no (step bad)\n"


def test_a_second_interrupt_ends_the_command_at_once(begin, workflow, runs):
    running = begin("run", workflow({"id": "d", "action": "lab.deaf"}), until="step_started")
    running.send_signal(signal.SIGINT)
    for line in running.stderr:
        if "stopping run" in line:
            break
    began = time.monotonic()
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert time.monotonic() - began < 5
    assert running.returncode == 1
    assert err.endswith("opcode: stopped at once\n")
    assert "Traceback" not in err
