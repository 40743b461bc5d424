"""`opcode eval`: an expression tried as a workflow would evaluate it."""

import json

WORKFLOW = {
    "inputs": {"n": 3},
    "steps": [{"id": "a", "action": "crypto.hash", "params": {"data": "x"}}],
}


def test_over_data_and_inputs(opcode, home):
    (home / "items.json").write_text('{"items": [1, 2, 30]}')
    done = opcode("eval", "size(data.items) + inputs.more", "--data", "items.json", "-p", "more=4")
    assert (done.returncode, done.stdout) == (0, "7\n")
    done = opcode("eval", "data.items", "--data", "items.json", "--json")
    assert json.loads(done.stdout) == {"result": [1, 2, 30]}


def test_over_what_a_run_knows(opcode, home):
    (home / "w.json").write_text(json.dumps(WORKFLOW))
    run_id = json.loads(opcode("run", "w.json", "--json").stdout)["workflow_id"]
    done = opcode("eval", "steps.a.hash.size() == 64 && inputs.n == 3", "--run", run_id)
    assert done.stdout == "true\n"


def test_what_is_wrong_is_said(opcode, home):
    done = opcode("eval", "1 +")
    assert (done.returncode, "VALIDATION_ERROR" in done.stderr) == (1, True)
    done = opcode("eval", "1", "--engine", "cell")
    assert (done.returncode, "did you mean 'cel'" in done.stderr) == (2, True)
    done = opcode("eval", "inputs.nothing")
    assert (done.returncode, "nothing" in done.stderr) == (1, True)
    (home / "broken.json").write_text("{")
    done = opcode("eval", "1", "--data", "broken.json")
    assert (done.returncode, "broken.json: not JSON" in done.stderr) == (2, True)
