"""What an action, an agent or a caller gave is data: it stays the text that it is, all the way, and is escaped where it
is shown. The canary in the vault would be the prize."""

import base64
import hashlib
import html
import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "canary"), str(HERE.parent / "plugins/opcode_server/tests")]

from canary_house import FORMATS, PLAIN, REGISTRY, Sight, canary_house  # noqa: E402

SNIPPETS = [
    "${{secrets.PLAIN}}",
    "x ${{ secrets.PLAIN }} y",
    "${{inputs.x}}",
    "${{ 1+1 }}",
    "{{7*7}}",
    "{% for x in [7] %}{{x*7}}{% endfor %}",
    "inputs.x",
    "1 + 1",
    "steps.a.result.size() > 0 ? inputs.x : inputs.x",
    ".data | length",
    "jq:.[]",
    "[1, 2]",
    '{"a": "${{secrets.PLAIN}}"}',
    "__import__('os').environ",
    "$(echo 49) `echo 49`; echo 49 #",
    "%s %(x)s {0} {x} {x.__class__}",
    "</script><script>alert(7)</script><img src=x onerror=alert(7)>",
    '"]; x --> y["<b>',
    "\\u0024{{secrets.PLAIN}} %24%7B%7Bsecrets.PLAIN%7D%7D",
    "true",
    "null",
]
GIVEN = "${{steps.a.result}}"
CHILD = {
    "inputs": {"token": ""},
    "steps": [{"id": "c", "action": "crypto.hash", "params": {"data": "${{inputs.token}}"}}],
    "output": {"hash": "${{steps.c.hash}}", "token": "${{inputs.token}}"},
}


def hashing(id_, data, *after):
    return {"id": id_, "action": "crypto.hash", "params": {"data": data}, "depends_on": list(after)}


def workflow(snippet):
    """The snippet comes out of an action, which got it in base64, and goes wherever a value can go."""
    steps = [
        {
            "id": "a",
            "action": "crypto.decode",
            "params": {"data": base64.b64encode(snippet.encode()).decode()},
        },
        {"id": "uses", "action": "workflow.log", "params": {"message": "${{secrets.PLAIN}}", "with": GIVEN}},
        hashing("whole", GIVEN),
        hashing("part", f"<{GIVEN}>"),
        hashing("computed", "${{ steps.a.result + '' }}"),
        {
            "id": "keep",
            "action": "workflow.context",
            "params": {"action": "update", "data": {"k": GIVEN, "notes": GIVEN, "intent": GIVEN}},
        },
        hashing("kept", "${{context.k}}", "keep"),
        {
            "id": "emit",
            "action": "workflow.emit",
            "params": {"event_type": "mine", "payload": {"k": [GIVEN]}},
        },
        {
            "id": "child",
            "action": "workflow.run",
            "params": {"template_name": "hashing", "params": {"token": GIVEN}},
        },
        {
            "id": "each",
            "type": "loop",
            "config": {"over": "${{ [steps.a.result] }}", "body": [hashing("h", "${{loop.item}}")]},
        },
        {
            "id": "check",
            "type": "condition",
            "config": {"expression": "steps.a.result", "branches": {}, "default": [hashing("h", GIVEN)]},
        },
        *(
            {
                "id": f"in_{engine}",
                "action": "expr.eval",
                "params": {
                    "engine": engine,
                    "expression": ".t" if engine == "jq" else "data['t']",
                    "data": {"t": GIVEN},
                },
            }
            for engine in REGISTRY.engines
        ),
        {"id": "sh", "action": "shell.exec", "params": {"command": "printf", "args": ["%s", GIVEN]}},
        {
            "id": "quoted",
            "action": "shell.exec",
            "params": {"command": "printf %s", "args": [GIVEN], "shell": True},
        },
        {
            "id": "bad",
            "action": "workflow.fail",
            "params": {"reason": GIVEN},
            "on_error": {"strategy": "ignore"},
        },
    ]
    for step in steps[1:]:
        step.setdefault("depends_on", [])
        step["depends_on"] = [*step["depends_on"], "a"]
    steps += [
        {
            "id": "ask",
            "type": "reasoning",
            "depends_on": [step["id"] for step in steps],
            "config": {"prompt_context": f"see {GIVEN}", "data_inject": {"it": "steps.a.result"}},
        },
        hashing("reasoning", "${{steps.ask.output.reasoning}}", "ask"),
        hashing("choice", "${{steps.ask.output.choice}}", "ask"),
        hashing("answer", "${{steps.ask.output.data.k}}", "ask"),
        hashing("signalled", "${{context.later}}", "ask"),
        hashing("param", "${{inputs.given}}", "ask"),
    ]
    return {
        "inputs": {"x": "EVALUATED", "given": ""},
        "steps": steps,
        "output": {"whole": GIVEN, "part": f"<{GIVEN}>", "child": "${{steps.child}}"},
        "on_complete": hashing("at_the_end", GIVEN),
    }


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with canary_house(tmp_path_factory.mktemp("house")) as made:
        body = {"name": "hashing", "definition": CHILD, "agent_id": "ada"}
        assert made.server.ask("/api/v1/define", body)[0] == 200
        yield made


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_it_stays_the_text_that_it_is(house, snippet):
    seen = Sight(snippet)
    name = f"run of {snippet}"

    def ask(path, **body):
        status, answer = house.server.ask(f"/api/v1/{path}", body)
        assert status == 200, answer
        seen.look(path, json.dumps(answer))
        return answer

    ask("define", name=name, definition=workflow(snippet), agent_id="ada", description=snippet)
    ran = ask("run", template_name=name, agent_id="ada", params={"given": snippet})
    assert ran["status"] == "suspended", ran
    run_id = ran["workflow_id"]

    (decision,) = ran["pending_decisions"]
    assert decision["context"]["prompt"] == f"see {snippet}"
    assert decision["context"]["data"] == {"it": snippet}
    assert decision["context"]["agent_notes"] == snippet
    assert decision["context"]["workflow_intent"] == snippet
    look_at_pages(house, seen, snippet, f"/decisions/{decision['id']}", f"/workflows/{run_id}", "/decisions")

    ask("signal", workflow_id=run_id, signal_type="data", payload={"later": snippet})
    said = {"choice": snippet, "data": {"k": snippet}}
    ask("signal", workflow_id=run_id, signal_type="decision", payload=said, reasoning=snippet, agent_id="ada")
    list(house.fetch(f"/api/v1/events?workflow_id={run_id}"))  # ends when the run does
    ended = ask("status", workflow_id=run_id)
    assert ended["status"] == "completed", ended["error"]

    hashed = hashlib.sha256(snippet.encode()).hexdigest()
    outputs = {name: step["output"] for name, step in ended["steps"].items()}
    for step in (
        "whole",
        "computed",
        "kept",
        "reasoning",
        "choice",
        "answer",
        "signalled",
        "param",
        "at_the_end",
    ):
        assert outputs[step]["hash"] == hashed, step
    assert outputs["part"]["hash"] == hashlib.sha256(f"<{snippet}>".encode()).hexdigest()
    assert outputs["each"]["results"][0]["hash"] == hashed
    assert outputs["check"]["output"]["hash"] == hashed
    assert outputs["check"]["branch"] == snippet
    assert outputs["child"] == {"hash": hashed, "token": snippet}
    assert [outputs[f"in_{engine}"]["result"] for engine in REGISTRY.engines] == [snippet] * len(
        REGISTRY.engines
    )
    assert outputs["sh"]["stdout_raw"] == outputs["quoted"]["stdout_raw"] == snippet
    assert ended["steps"]["bad"]["error"]["message"] == snippet
    assert ended["output"]["whole"] == snippet
    assert ended["output"]["part"] == f"<{snippet}>"
    (mine,) = [event for event in ended["events"] if event["event_type"] == "mine"]
    assert mine["payload"] == {"k": [snippet]}
    look_at_pages(house, seen, snippet, f"/workflows/{run_id}", f"/decisions/{decision['id']}")
    for path in ("/", "/events", "/workflows", f"/templates?name={run_id}"):
        seen.look(path, house.fetch(path, Accept="text/html"))
    for format_ in FORMATS:
        drawn = ask("diagram", format=format_, workflow_id=run_id)["diagram"]
        assert format_ not in ("svg", "mermaid") or "<script>alert" not in drawn
    assert "EVALUATED" not in json.dumps([ended["output"], outputs])


def look_at_pages(house, seen, snippet, *paths):
    """Escaped, and as it was: as text, or in JSON that is shown as text."""
    for path in paths:
        page = house.fetch(path, Accept="text/html").decode()
        seen.look(path, page)
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        text = html.unescape(page)
        assert snippet in text or json.dumps(snippet)[1:-1] in text, path


def test_none_of_it_reached_the_log_as_something_else(house):
    seen = Sight("log")
    seen.look("the log", "".join(house.server.log))
    assert PLAIN not in "".join(house.server.log)
    for content in house.files().values():
        seen.look("files", content)
