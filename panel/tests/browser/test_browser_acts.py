"""What people do in the panel, in a browser."""

import json
import re

import pytest
from serving import ASK, HELLO, SLOW, serving

WAITS = {
    "steps": [
        {"id": "first", "action": "crypto.uuid"},
        {"id": "wait", "type": "wait", "depends_on": ["first"], "config": {"signal": "go"}},
        {"id": "last", "action": "workflow.log", "depends_on": ["wait"], "params": {"message": "ok"}},
    ]
}
FORM = {
    "steps": [
        {
            "id": "budget",
            "type": "reasoning",
            "config": {
                "prompt_context": "How much may it cost?",
                "data_inject": {"lines": "${{inputs.lines}}", "note": "${{inputs.note}}"},
                "options": [{"id": "approve"}, {"id": "refuse"}],
                "response_schema": {
                    "type": "object",
                    "properties": {
                        "amount": {"type": "number", "minimum": 1, "maximum": 100, "description": "in euros"},
                        "urgent": {"type": "boolean"},
                        "level": {"enum": [1, 2, 3], "default": 2},
                    },
                    "required": ["amount"],
                },
            },
        }
    ],
    "inputs": {"lines": [{"item": "lamp", "price": 3}, {"item": "desk", "price": 4}], "note": "soon"},
}
INPUTS = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Whom to greet", "description": "a first name", "default": "Ada"},
        "times": {"type": "integer", "minimum": 1, "default": 2},
        "loud": {"type": "boolean", "default": True},
        "mode": {"enum": ["fast", "slow"], "default": "slow"},
        "extra": {"type": "object", "default": {"a": 1}},
    },
    "required": ["name"],
}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("acts")) as server:
        for name, definition in (
            ("hello", HELLO),
            ("ask", ASK),
            ("waits", WAITS),
            ("form", FORM),
            ("slow", SLOW),
        ):
            status, answer = server.ask(
                "/api/v1/define", {"name": name, "definition": definition, "agent_id": "ada"}
            )
            assert status == 200, answer
        yield server


def begin(server, name, **options):
    status, answer = server.ask("/api/v1/run", {"template_name": name, "agent_id": "ada", **options})
    assert status == 200, answer
    return answer["workflow_id"]


def step(page, step_id):
    return page.locator(f"#step-{step_id}")


def status_of(page, name):
    page.wait_for_selector(f".head .status.{name}")


def test_a_template_is_written_with_checks_as_one_types(opened, served):
    with opened(served) as page:
        page.goto("/templates")
        page.get_by_role("link", name="Write one").click()
        assert page.get_by_text("It can be stored").is_visible()
        text = page.get_by_label("Definition")
        text.fill(
            '{"steps": [\n {"id": "a", "action": "crypto.uuid"},\n {"id": "b",\n  "action": "crypto.uid"}]}'
        )
        page.wait_for_selector("#check .alert")
        page.get_by_role("link", name="line 4").click()
        assert page.evaluate("() => getSelection().toString() || document.activeElement.id") != ""
        chosen = text.evaluate("(e) => e.value.slice(e.selectionStart, e.selectionEnd)")
        assert chosen == '  "action": "crypto.uid"}]}'
        text.fill('{"steps": [\n {"id": "a" "action": "crypto.uuid"}]}')
        page.wait_for_selector("#check .alert a:text('line 2')")
        text.fill(json.dumps({"inputs": {}, "steps": HELLO["steps"]}))
        page.wait_for_selector("#check .good")
        assert "hello" in page.locator("#check .picture").text_content()
        page.get_by_label("Name", exact=True).fill("written")
        page.get_by_text("Input schema").click()
        page.get_by_label("JSON Schema of the inputs").fill(json.dumps(INPUTS))
        text.focus()
        page.keyboard.press("Control+Enter")
        page.wait_for_url("**/templates/written")
        assert page.get_by_role("heading", level=1).inner_text() == "written"


def test_a_run_is_started_from_the_form_of_its_inputs(opened, served):
    definition = {**HELLO, "output": {"all": "${{inputs}}"}, "inputs": {}}
    served.ask(
        "/api/v1/define",
        {"name": "greet", "definition": definition, "agent_id": "ada", "input_schema": INPUTS},
    )
    with opened(served, refusals=True) as page:
        page.goto("/templates/greet")
        name = page.get_by_label("Whom to greet")
        assert name.input_value() == "Ada"
        assert page.get_by_text("a first name", exact=True).is_visible()
        assert name.get_attribute("aria-describedby")
        times = page.get_by_label("times")
        assert (times.get_attribute("type"), times.get_attribute("min"), times.input_value()) == (
            "number",
            "1",
            "2",
        )
        assert page.get_by_role("switch", name="loud").is_checked()
        assert page.get_by_label("mode").input_value() == "slow"
        page.get_by_label("mode").select_option("fast")
        page.get_by_role("switch", name="loud").uncheck()
        name.fill("Zoë <b>")
        page.get_by_label("extra").fill("{nonsense")
        page.get_by_role("button", name="Run").click()
        alert = page.get_by_role("alert")
        assert "extra is '{nonsense'; it must be JSON" in alert.inner_text()
        assert page.get_by_label("Whom to greet").input_value() == "Zoë <b>"  # what was typed is kept
        assert page.get_by_label("mode").input_value() == "fast"
        page.get_by_label("extra").fill('{"b": [2]}')
        page.get_by_role("button", name="Run").click()
        page.wait_for_url("**/workflows/*")
        status_of(page, "completed")
        _, answer = served.ask("/api/v1/status", {"workflow_id": page.url.rpartition("/")[2]})
        assert answer["output"]["all"] == {
            "name": "Zoë <b>",
            "times": 2,
            "loud": False,
            "mode": "fast",
            "extra": {"b": [2]},
        }
    with opened(served, refusals=True) as page:
        page.goto("/templates/greet")
        page.get_by_label("times").evaluate("(e) => { e.removeAttribute('min'); e.value = '-3'; }")
        page.get_by_role("button", name="Run").click()
        assert "times" in page.get_by_role("alert").inner_text()  # the server says where, too


def test_a_run_is_watched_while_it_changes(opened, served):
    run_id = begin(served, "waits", wait=False)
    with opened(served) as page:
        page.goto(f"/workflows/{run_id}")
        status_of(page, "suspended")
        page.wait_for_selector("#liveness.online")
        assert step(page, "wait").locator(".status.suspended").is_visible()
        page.evaluate("() => { window.kept = 'the page was not loaded anew'; }")
        summary = step(page, "first")
        summary.scroll_into_view_if_needed()
        said = {"workflow_id": run_id, "signal_type": "data", "payload": {"signal": "go"}, "agent_id": "ada"}
        assert served.ask("/api/v1/signal", said)[0] == 200
        status_of(page, "completed")
        assert step(page, "last").locator(".status.completed").is_visible()
        assert page.locator(".timeline .row").count() == 3
        assert page.locator(".timeline rect.completed").count() == 3
        assert "last" in page.locator(".picture").text_content()
        assert page.get_by_role("button", name="Cancel").count() == 0
        assert page.evaluate("() => window.kept")


def test_what_is_open_stays_open_while_the_page_changes(opened, served):
    run_id = begin(served, "waits", wait=False)
    with opened(served) as page:
        page.goto(f"/workflows/{run_id}")
        page.wait_for_selector("#liveness.online")
        folded = page.locator(".events details.fold").last
        folded.locator("summary").click()
        folded.locator("summary").focus()
        said = {"workflow_id": run_id, "signal_type": "data", "payload": {"signal": "go"}, "agent_id": "ada"}
        served.ask("/api/v1/signal", said)
        status_of(page, "completed")
        assert page.locator(".events details.fold[open]").count() == 1
        assert page.evaluate("() => document.activeElement.tagName") == "SUMMARY"


def test_a_decision_is_made_in_one_click(opened, served):
    run_id = begin(served, "ask")
    with opened(served) as page:
        page.goto("/")
        page.get_by_role("link", name="Do it?").first.click()
        assert page.get_by_role("heading", level=1).inner_text() == "ask"
        page.get_by_label("Why").fill("It's <i>fine</i>")
        page.get_by_role("button", name=re.compile("^yes")).click()
        page.wait_for_url(f"**/workflows/{run_id}")
        status_of(page, "completed")
        decided = page.locator("section", has=page.get_by_role("heading", name="Decided")).inner_text()
        assert "yes" in decided
        assert "by panel" in decided
        assert "It's <i>fine</i>" in decided
        assert "now" in decided or "ago" in decided
        page.get_by_role("link", name="ask", exact=True).first.click()
        assert page.get_by_role("button", name="Reject").count() == 0
        assert "It's <i>fine</i>" in page.locator("article").inner_text()


def test_a_decision_is_made_through_its_form(opened, served):
    run_id = begin(served, "form")
    with opened(served, refusals=True) as page:
        page.goto("/decisions")
        page.get_by_role("link", name="budget").first.click()
        assert page.locator(".values table tr").count() == 3  # rows of things are a table
        assert "soon" in page.locator(".values").inner_text()
        amount = page.get_by_label("amount")
        assert (amount.get_attribute("max"), amount.get_attribute("step")) == ("100", "any")
        amount.evaluate("(e) => { e.removeAttribute('max'); e.value = '5000'; }")
        page.get_by_label("Why").fill("it is worth it")
        page.get_by_role("button", name="approve").click()
        assert "amount" in page.get_by_role("alert").inner_text()
        assert page.get_by_label("amount").input_value() == "5000"
        assert page.get_by_label("Why").input_value() == "it is worth it"
        page.get_by_label("amount").fill("12.5")
        page.get_by_role("switch", name="urgent").check()
        page.get_by_label("level").select_option("3")
        page.get_by_role("button", name="approve").click()
        page.wait_for_url(f"**/workflows/{run_id}")
        status_of(page, "completed")
        _, answer = served.ask("/api/v1/status", {"workflow_id": run_id})
        assert answer["steps"]["budget"]["output"]["data"] == {"amount": 12.5, "urgent": True, "level": 3}
        assert "12.5" in page.locator("section", has=page.get_by_role("heading", name="Decided")).inner_text()


def test_a_decision_that_somebody_else_made_meanwhile_says_so(opened, served):
    run_id = begin(served, "ask")
    _, pending = served.ask("/api/v1/decisions")
    decision = next(one["id"] for one in pending["decisions"] if one["workflow_id"] == run_id)
    with opened(served, refusals=True) as page:
        page.goto(f"/decisions/{decision}")
        said = {
            "workflow_id": run_id,
            "signal_type": "decision",
            "payload": {"choice": "no"},
            "agent_id": "bob",
        }
        assert served.ask("/api/v1/signal", said)[0] == 200
        page.get_by_role("button", name=re.compile("^yes")).click()
        page.get_by_role("alert").wait_for()
        assert "by bob" in page.locator("article").inner_text()


def test_a_decision_is_rejected(opened, served):
    run_id = begin(served, "ask")
    with opened(served) as page:
        page.goto(f"/workflows/{run_id}")
        page.get_by_role("link", name="Decide").click()
        page.get_by_label("Why").fill("cannot say")
        page.get_by_role("button", name="Reject").click()
        status_of(page, "failed")
        assert "cannot say" in page.get_by_role("alert").inner_text()


def test_the_queue_of_decisions_is_live_and_leaves_alone_what_one_types(opened, served):
    with opened(served) as page:
        page.goto("/decisions")
        page.wait_for_selector("#liveness.online")
        before = page.locator("article").count()
        begin(served, "ask")
        page.wait_for_function(f"() => document.querySelectorAll('article').length === {before + 1}")
        typed = page.locator("article").last.get_by_label("Why")
        typed.fill("I am still writ")
        begin(served, "ask")
        page.goto("/decisions#", wait_until="commit")  # the same page: nothing is loaded
        page.wait_for_timeout(1500)
        assert typed.input_value() == "I am still writ"
        typed.fill("")
        page.get_by_role("heading", level=1).click()
        page.wait_for_function(f"() => document.querySelectorAll('article').length === {before + 2}")


def test_a_run_is_cancelled_and_run_again(opened, served):
    run_id = begin(served, "slow", wait=False)
    with opened(served) as page:
        page.goto(f"/workflows/{run_id}")
        assert page.get_by_role("button", name="Retry").count() == 0
        page.get_by_role("button", name="Cancel").click()
        status_of(page, "cancelled")
        page.get_by_role("button", name="Run again").click()
        page.wait_for_url(lambda url: "/workflows/" in url and run_id not in url)
        page.get_by_role("button", name="Cancel").click()
        status_of(page, "cancelled")


def test_what_failed_is_retried_skipped_and_forked(opened, served, tmp_path):
    wanted = tmp_path / "wanted.txt"
    definition = {
        "steps": [
            {"id": "first", "action": "crypto.uuid"},
            {
                "id": "read",
                "action": "shell.exec",
                "depends_on": ["first"],
                "params": {"command": "cat", "args": [str(wanted)], "fail_on_error": True},
            },
            {"id": "last", "action": "crypto.uuid", "depends_on": ["read"]},
        ]
    }
    _, answer = served.ask("/api/v1/execute", {"definition": definition, "name": "reader", "agent_id": "ada"})
    with opened(served) as page:
        page.goto("/")
        page.locator("section", has=page.get_by_role("heading", name="Failed")).get_by_role(
            "link", name="reader"
        ).first.click()
        status_of(page, "failed")
        page.get_by_role("link", name="See step read").click()
        assert page.locator("#step-read:target").is_visible()
        wanted.write_text("here")
        page.get_by_role("button", name="Retry read").click()
        status_of(page, "completed")
        assert "here" in step(page, "read").inner_text()
        assert page.get_by_role("button", name="Skip read").count() == 0
        first = step(page, "first").locator(".json").first.text_content()
        wanted.unlink()
        page.get_by_role("button", name="Fork read").click()
        page.wait_for_url(lambda url: answer["workflow_id"] not in url)
        status_of(page, "failed")
        assert step(page, "first").locator(".json").first.text_content() == first  # taken over
        page.get_by_role("button", name="Skip read").click()
        status_of(page, "completed")
        assert step(page, "read").locator(".status.skipped").is_visible()


def test_workflows_are_filtered_and_paged(opened, served):
    for _ in range(35):
        begin(served, "hello")
    with opened(served) as page:
        page.goto("/workflows")
        page.get_by_label("Template").fill("hello")
        page.get_by_label("Status").select_option("completed")
        page.get_by_role("button", name="Show").click()
        first = page.locator(".runs tbody tr .id").all_inner_texts()
        assert len(first) == 30
        begin(served, "hello")  # pages stay where they are while runs are added
        page.get_by_role("link", name="More").click()
        second = page.locator(".runs tbody tr .id").all_inner_texts()
        assert len(second) >= 5
        assert not set(first) & set(second)
        assert page.get_by_label("Template").input_value() == "hello"
        page.get_by_role("link", name="First page").click()
        assert page.locator(".runs tbody tr .id").first.inner_text() not in first
        page.get_by_label("Agent").fill("nobody")
        page.get_by_role("button", name="Show").click()
        page.get_by_role("link", name="Show all").click()
        page.wait_for_url("**/workflows")


def test_events_are_filtered_and_paged(opened, served):
    run_id = begin(served, "hello")
    with opened(served) as page:
        page.goto("/events")
        rows = page.locator(".events tbody tr")
        assert rows.count() == 50
        seen = rows.first.inner_text()
        page.get_by_role("link", name="More").click()
        assert rows.first.inner_text() != seen
        page.get_by_label("Type").fill("decision_requested")
        page.get_by_role("button", name="Show").click()
        assert set(page.locator(".events tbody code").all_inner_texts()) >= {"decision_requested"}
        page.get_by_label("Type").fill("")
        page.get_by_label("Step of that run").fill("hello")
        page.get_by_role("button", name="Show").click()
        assert "Which run?" in page.get_by_role("alert").inner_text()
        page.get_by_label("Run", exact=True).fill(run_id)
        page.get_by_role("button", name="Show").click()
        assert rows.count() == 2


def test_two_versions_are_compared(opened, served):
    for limit in ("3m", "4m"):
        served.ask(
            "/api/v1/define",
            {"name": "versions", "definition": {**HELLO, "timeout": limit}, "agent_id": "ada"},
        )
    with opened(served) as page:
        page.goto("/templates/versions")
        page.get_by_role("link", name="difference to v2").click()
        assert "4m" in page.locator(".diff .added").inner_text()
        assert "3m" in page.locator(".diff .removed").inner_text()
        page.get_by_role("link", name="New version").click()
        assert page.get_by_label("Name", exact=True).input_value() == "versions"


def test_what_is_large_is_folded_coloured_and_copied(opened, served):
    big = {"text": "x" * 5000, "n": [1, True, None]}
    definition = {
        "steps": [
            {"id": "log", "action": "expr.eval", "params": {"expression": "big", "data": {"big": big}}}
        ],
        "inputs": {"big": big},
    }
    status, answer = served.ask(
        "/api/v1/execute", {"definition": definition, "name": "large", "agent_id": "ada"}
    )
    assert status == 200, answer
    with opened(served, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.goto(f"/workflows/{answer['workflow_id']}")
        inputs = page.locator("section", has=page.get_by_role("heading", name="Inputs", exact=True))
        assert not inputs.locator("pre").is_visible()
        assert inputs.locator("summary").bounding_box()["height"] < 50
        inputs.locator("summary").click()
        for kind in ("key", "string", "number", "word"):
            assert inputs.locator(f".json .{kind}").count() > 0
        inputs.get_by_role("button", name="copy").click()
        inputs.get_by_role("button", name="copied").wait_for()
        assert json.loads(page.evaluate("() => navigator.clipboard.readText()")) == {"big": big}
        page.locator(".facts").get_by_role("button", name="copy").click()
        page.locator(".facts").get_by_role("button", name="copied").wait_for()
        assert page.evaluate("() => navigator.clipboard.readText()") == answer["workflow_id"]


def test_secrets_are_set_and_deleted_and_never_shown(opened, tmp_path):
    with (
        serving(tmp_path, OPCODE_VAULT_KEY="a passphrase that is long enough") as server,
        opened(server) as page,
    ):
        page.goto("/secrets")
        assert page.locator(".empty").is_visible()
        page.get_by_label("Name").fill("API_KEY")
        page.get_by_label("Value").fill("s3cr3t-value-&<")
        page.get_by_role("button", name="Store").click()
        assert page.get_by_text("API_KEY", exact=True).is_visible()
        assert "s3cr3t" not in page.content()
        page.get_by_text("Delete", exact=True).click()
        page.get_by_role("button", name="Yes, delete API_KEY").click()
        assert page.get_by_text("API_KEY", exact=True).count() == 0
        page.locator(".empty").wait_for()


def test_home_answers_what_one_comes_for(opened, tmp_path):
    with serving(tmp_path) as server, opened(server) as page:
        page.goto("/")
        assert page.locator(".empty").count() >= 4  # and each says what to do
        page.wait_for_selector("#liveness.online")
        for name, definition in (("ask", ASK), ("slow", SLOW), ("hello", HELLO)):
            server.ask("/api/v1/define", {"name": name, "definition": definition, "agent_id": "ada"})
        begin(server, "ask")
        begin(server, "slow", wait=False)
        begin(server, "hello")
        later = {"steps": [{"id": "later", "type": "wait", "config": {"duration": "3h"}}]}
        server.ask("/api/v1/execute", {"definition": later, "name": "tomorrow", "wait": False})
        failing = {"steps": [{"id": "no", "action": "workflow.fail", "params": {"reason": "no paper"}}]}
        server.ask("/api/v1/execute", {"definition": failing, "name": "printer"})
        for heading, said in (
            ("Waits for you", "Do it?"),
            ("Runs now", "slow"),
            ("Failed", "no paper"),
            ("Comes next", "tomorrow"),
            ("Health", "Database"),
        ):
            section = page.locator("section", has=page.get_by_role("heading", name=heading))
            section.get_by_text(said).first.wait_for()
        page.reload()
        page.get_by_text("ran without anybody reasoning").wait_for()
