"""What a suspended run asks, and how it is answered from another command line."""

import json
import re
import shlex

import pytest

from opcode_core.tests.cli.conftest import ask, gate, hash_step, plain, wait

pytestmark = pytest.mark.usefixtures("lab")


@pytest.fixture
def asked(opcode, workflow, runs):
    """Run until it is suspended: what it said, and its id."""

    def run(*steps, **fields):
        done = opcode("run", workflow(*steps, **fields))
        assert done.returncode == 3
        assert done.stdout == ""
        return done.stderr, runs()[0]["workflow_id"]

    return run


def commands_in(text):
    """The command lines that were printed to be copied."""
    return [shlex.split(line)[1:] for line in text.splitlines() if line.startswith("  opcode signal")]


def test_the_question_and_the_command_that_answers_it(asked, opcode):
    said, run_id = asked(
        hash_step(),
        ask(
            "review",
            "approve it",
            "reject",
            after="h",
            data_inject={"hash": "steps.h.hash", "none": "steps.h.nothing"},
            timeout="1h",
            fallback="reject",
        ),
        output={"says": "${{steps.review.choice}}", "by": "${{steps.review.resolved_by}}"},
    )
    assert f"opcode: run {run_id} is suspended and waits for this:\n" in said
    question = said[said.index("review asks:") : said.index("look again:")].splitlines()
    assert question[0] == "review asks: what about review?"
    assert question[1].startswith("  hash  ba7816bf")
    assert question[2:6] == [
        "  none  null",
        "  options:",
        "    approve it  to approve it",
        "    reject      to reject",
    ]
    assert re.search(r"\(in (1h|59m\d*s?)\); then 'reject' is chosen$", question[6])
    (command,) = commands_in(said)
    assert command == ["signal", run_id, "decision", "--step", "review", "--choice", "approve it"]
    done = opcode(*command, "--agent", "ada", "--reasoning", "it is fine")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"says": "approve it", "by": "ada"}
    assert "decision_resolved      review  approve it by ada" in done.stderr
    again = opcode(*command)
    assert again.returncode == 1
    assert "has already ended: completed" in again.stderr


def test_on_a_terminal_a_command_is_never_cut(terminal, workflow):
    code, shown = terminal("run", workflow(ask("a-rather-long-name-of-a-step", "an-option-with-a-long-name")))
    assert code == 3
    assert "decision --step a-rather-long-name-of-a-step --choice an-option-with-a-long-name\n" in plain(
        shown
    )
    assert "waits for a decision" in plain(shown)


def test_status_and_run_tell_programs_what_is_pending(asked, opcode, workflow):
    big = {"id": "big", "action": "crypto.encode", "params": {"data": "x" * 20_000, "encoding": "hex"}}
    schema = {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "number"}}}
    steps = (
        hash_step(),
        big,
        ask(
            "review",
            "yes",
            after="h big",
            data_inject={"n": "inputs.n"},
            response_schema=schema,
            target_agent="boss",
        ),
    )
    said, run_id = asked(*steps, inputs={"n": 5}, context={"intent": "pay", "notes": "soon", "total": 12})
    (command,) = commands_in(said)
    assert command[-4:] == ["--agent", "boss", "-p", "amount=VALUE"]
    answer = json.loads(opcode("status", run_id, "--json").stdout)
    (decision,) = answer["pending_decisions"]
    context = decision.pop("context")
    assert context.pop("step_outputs")["h"]["algorithm"] == "sha256"
    assert context == {
        "prompt_context": "what about review?",
        "prompt": "what about review?",
        "data_inject": {"n": 5},
        "data": {"n": 5},
        "workflow_intent": "pay",
        "agent_notes": "soon",
        "accumulated_data": {"total": 12},
    }
    assert decision.pop("created_at").endswith("Z")
    decision_id = decision.pop("id")
    assert decision == {
        "workflow_id": run_id,
        "step_id": "review",
        "target_agent_id": "boss",
        "options": [{"id": "yes", "description": "to yes"}],
        "response_schema": schema,
        "timeout_at": None,
        "fallback": None,
        "status": "pending",
    }
    assert answer["steps"]["review"]["waiting"] == {
        "for": "decision",
        "decision_id": decision_id,
        "until": None,
    }
    assert answer["name"] == "w.json"
    run = json.loads(opcode("run", workflow(*steps, inputs={"n": 5}), "--json", "-q").stdout)
    (pending,) = run["pending_decisions"]
    assert pending["context"]["step_outputs"]["big"] == {"truncated": 40_030}


def test_what_a_step_notes_is_shown_with_the_next_question(asked, opcode):
    note = {
        "id": "n",
        "action": "workflow.context",
        "params": {"action": "update", "agent_notes": "seen before"},
    }
    _, run_id = asked(note, ask("review", "yes", after="n"), context={"notes": "soon"})
    (decision,) = json.loads(opcode("status", run_id, "--json").stdout)["pending_decisions"]
    assert decision["context"]["agent_notes"] == "seen before"
    assert decision["context"]["accumulated_data"] == {}


def test_what_cannot_be_decided(asked, opcode):
    schema = {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "number"}}}
    _, run_id = asked(ask("review", "yes", "no", response_schema=schema, target_agent="boss"))
    for arguments, code, message in (
        ([], 2, "say --choice OPTION or --reject REASON; the options of review are yes, no"),
        (["--choice", "yes", "--reject", "x"], 2, "--choice and --reject: say one of them"),
        (["--payload", "{"], 2, "--payload: not JSON"),
        (["--payload", "[1]"], 2, "--payload '[1]' must be a JSON object"),
        (["--choice", "yes"], 1, "PERMISSION_DENIED: this decision is asked of agent 'boss', not of 'local'"),
        (["--choice", "yse", "--agent", "boss"], 1, "did you mean 'yes'?"),
        (["--choice", "yes", "--agent", "boss"], 1, "payload.data"),
        (["--choice", "yes", "--step", "other"], 1, "no decision of step 'other' is pending"),
    ):
        done = opcode("signal", run_id, "decision", *arguments)
        assert (done.returncode, done.stdout) == (code, "")
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    done = opcode("signal", run_id, "decision", "--choice", "yes", "--agent", "boss", "-p", "amount=5", "-q")
    assert json.loads(done.stdout)["review"]["data"] == {"amount": 5}


def test_a_decision_may_be_rejected(asked, opcode):
    _, run_id = asked(ask("review", "yes"))
    done = opcode("signal", run_id, "decision", "--reject", "not now", "-q")
    assert done.returncode == 1
    assert done.stderr == "opcode: NON_RETRYABLE: local rejected the decision: not now (step review)\n"


def test_a_signal_for_a_wait(asked, opcode):
    said, run_id = asked(wait("paid", signal="paid", timeout="2h"), wait("seen", signal="seen"))
    assert "paid waits for the signal 'paid' until " in said
    assert "seen waits for the signal 'seen'\n" in said
    first, second = commands_in(said)
    assert first == ["signal", run_id, "data", "--step", "paid", "-p", "key=value"]
    assert second[4] == "seen"
    one = opcode("signal", run_id, "data", "-p", "signal=paid", "-p", "amount=5")
    assert one.returncode == 3
    assert "paid waits" not in one.stderr[one.stderr.index("waits for this:") :]
    done = opcode("signal", run_id[:14], "data", "--step", "seen", "--payload", '{"by": "ada"}', "--json")
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert (answer["ok"], answer["signal_type"], answer["status"]) == (True, "data", "completed")
    assert answer["output"]["paid"]["payload"] == {"amount": 5}
    assert answer["output"]["seen"]["payload"] == {"by": "ada"}
    assert done.stderr == ""


def test_cancel_retry_and_skip(asked, opcode, workflow, runs, home):
    _, run_id = asked(ask("review", "yes"), context={})
    done = opcode("signal", run_id, "cancel", "--reasoning", "no longer needed", "-q")
    assert done.returncode == 1
    assert done.stderr == "opcode: CANCELLED: no longer needed\n"

    need = {"id": "need", "action": "lab.need", "params": {"name": "paper"}}
    file = workflow(need, hash_step(depends_on=["need"]))
    assert opcode("run", file, "-q").returncode == 1
    run_id = runs()[0]["workflow_id"]
    (home / "paper").touch()
    done = opcode("signal", run_id, "retry", "-q")
    assert done.returncode == 0
    assert json.loads(done.stdout)["h"]["hash"]

    (home / "paper").unlink()
    assert opcode("run", file, "-q").returncode == 1
    run_id = runs()[0]["workflow_id"]
    done = opcode("signal", run_id, "skip", "--step", "need", "-q")
    assert done.returncode == 0
    assert runs()[0]["status"] == "completed"
    refused = opcode("signal", run_id, "retry")
    assert refused.returncode == 1
    assert "INVALID_TRANSITION" in refused.stderr


def test_the_parent_of_an_answered_run_goes_on_too(opcode, workflow, asked, runs):
    opcode("define", workflow(ask("review", "yes"), name="kid.json"))
    child = {"id": "kid", "action": "workflow.run", "params": {"template_name": "kid"}}
    said, _ = asked(child, hash_step("end", depends_on=["kid"]))
    (command,) = commands_in(said)  # the child's
    done = opcode(*command)
    assert done.returncode == 0
    assert json.loads(done.stdout)["end"]["hash"]
    assert [run["status"] for run in runs()] == ["completed", "completed"]


def test_what_is_only_stored_goes_on_with_whoever_drives_the_run_next(asked, opcode, home):
    _, run_id = asked(ask("review", "yes"), gate("slow", depends_on=["review"]))
    done = opcode("signal", run_id, "decision", "--choice", "yes", "--no-wait")
    assert done.returncode == 0
    assert done.stdout == f"it is stored; run {run_id} goes on with: opcode resume {run_id}\n"
    assert not (home / "slow.calls").exists()
    (home / "slow").touch()
    assert opcode("resume", run_id, "-q").returncode == 0


def test_a_failed_and_a_held_run_that_are_only_told_to_go_on(opcode, workflow, runs, home):
    need = {"id": "need", "action": "lab.need", "params": {"name": "paper"}}
    opcode("run", workflow(need, name="need.json"), "-q")
    opcode(
        "run", workflow(wait("nap", duration="2s"), name="nap.json", timeout="1s", on_timeout="suspend"), "-q"
    )
    assert [run["status"] for run in runs()] == ["suspended", "failed"]
    (home / "paper").touch()
    for run in runs():
        assert opcode("signal", run["workflow_id"], "retry", "--no-wait").returncode == 0
    assert [run["status"] for run in runs()] == ["suspended", "failed"]
    done = opcode("resume", OPCODE_PLUGINS_DENY="vault")
    assert done.returncode == 0
    assert done.stderr == "opcode: going on with 2 runs\n"
    assert [run["status"] for run in runs()] == ["completed", "completed"]


def test_a_run_that_another_process_drives_takes_it(begin, opcode, workflow, home, runs):
    running = begin("run", workflow(gate("slow"), wait("paid", signal="paid")), until="step_suspended")
    run_id = runs()[0]["workflow_id"]
    refused = opcode("signal", run_id, "skip", "--step", "nothing")
    assert refused.returncode == 1
    assert "no step 'nothing' of run" in refused.stderr
    taken = opcode("signal", run_id, "data", "-p", "signal=paid")
    assert taken.returncode == 0
    assert taken.stdout.startswith(f"another process drives run {run_id} and goes on with it")
    wrong = opcode("signal", run_id, "skip", "--step", "nothing", "--no-wait")
    assert wrong.returncode == 1
    assert "no step 'nothing'" in wrong.stderr
    left = opcode("signal", run_id, "data", "-p", "n=1", "--no-wait")
    assert left.stdout == f"it is left for the process that drives run {run_id}: opcode status {run_id}\n"
    more = json.loads(opcode("signal", run_id, "data", "-p", "n=2", "--json").stdout)
    assert (more["ok"], more["delivered"], more["status"]) == (True, True, "active")
    (home / "slow").touch()
    out, _ = running.communicate(timeout=30)
    assert running.returncode == 0
    assert json.loads(out)["paid"]["signal"] == "paid"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x", "decide"], "'decide' is not one of 'decision', 'data', 'cancel', 'retry', 'skip'"),
        (["x", "cancel", "--choice", "y"], "--choice and --reject belong to a decision, not to cancel"),
        (["x", "data", "-p", "novalue"], "-p 'novalue': write key=value"),
        (["x"], "Missing argument"),
    ],
)
def test_wrong_signals_are_told_before_anything_is_looked_for(opcode, home, arguments, message):
    done = opcode("signal", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (home / ".opcode").exists()


def test_decisions_are_listed_and_remembered(asked, opcode):
    _, run_id = asked(ask("review", "yes", target_agent="boss"), ask("other", "a", timeout="1h"))

    def steps(*options):
        rows = json.loads(opcode("query", "decisions", *options, "--json").stdout)["decisions"]
        return [row["step_id"] for row in rows]

    assert steps() == ["review", "other"]
    assert steps("--agent", "eve") == ["other"]
    assert opcode("signal", run_id, "decision", "--step", "other", "--choice", "a", "-q").returncode == 3
    assert steps("--status", "pending") == ["review"]
    assert steps("--workflow-id", run_id[:20], "--status", "resolved") == ["other"]
    lines = opcode("query", "decisions").stdout.splitlines()
    assert lines[0].split() == ["run", "step", "answer"]
    assert lines[1].split()[:3] == [run_id, "review", "pending"]
    assert lines[2].split()[:5] == [run_id, "other", "a", "by", "local"]
    assert opcode("query", "decisions", "--status", "rejected").stdout == "no decisions\n"
