"""Liveness across restarts, and the pages without any script."""

import shutil
import urllib.request
from pathlib import Path

from serving import ASK, HELLO, serving

PANEL = Path(__file__).parents[2] / "src/opcode_panel"
PATIENT = 30_000
WAITS = {
    "steps": [
        {"id": "wait", "type": "wait", "config": {"signal": "go"}},
        {"id": "more", "type": "wait", "depends_on": ["wait"], "config": {"signal": "more"}},
    ]
}


def signal(server, run_id, name):
    said = {"workflow_id": run_id, "signal_type": "data", "payload": {"signal": name}, "agent_id": "ada"}
    status, answer = server.ask("/api/v1/signal", said)
    assert status == 200, answer


def test_a_page_catches_up_after_a_restart_and_shows_nothing_twice(opened, tmp_path):
    with serving(tmp_path) as server:
        _, run = server.ask(
            "/api/v1/execute", {"definition": WAITS, "name": "waits", "agent_id": "ada", "wait": False}
        )
        run_id, port = run["workflow_id"], server.url.rpartition(":")[2]
        with opened(server, lost_connections=True, refusals=True) as page:
            asked, in_vain = [], []
            page.on("request", lambda request: asked.append(request.url) if "/-/" in request.url else None)
            page.on("requestfailed", lambda request: in_vain.append(request.url))
            page.goto(f"/workflows/{run_id}")
            page.wait_for_selector("#liveness.online")
            page.evaluate("() => { window.kept = 'the page was not loaded anew'; }")
            assert server.stop() == 0
            page.wait_for_selector("#liveness.offline")
            with serving(tmp_path, "--listen", f"127.0.0.1:{port}") as again:
                signal(again, run_id, "go")
                page.wait_for_selector("#step-wait .status.completed", timeout=PATIENT)
                page.wait_for_selector("#liveness.online", timeout=PATIENT)
                shown = page.locator(".events tbody td:first-child").all_inner_texts()
                assert sorted(set(shown), key=int) == sorted(shown, key=int)
                _, log = again.ask("/api/v1/query", {"resource": "events", "filter": {"workflow_id": run_id}})
                assert len(shown) == len(log["events"])
            page.wait_for_selector("#liveness.offline")
            asked.clear()
            with serving(tmp_path, "--listen", f"127.0.0.1:{port}") as third:
                page.wait_for_selector("#liveness.online", timeout=PATIENT)
                quiet = [url for url in asked if "/-/workflows/" in url]
                signal(third, run_id, "more")
                page.wait_for_selector(".head .status.completed", timeout=PATIENT)
                lost = [url for url in in_vain if "/-/workflows/" in url]
                assert len(quiet) <= len(lost)  # nothing had changed: only what was lost was fetched again
            assert page.evaluate("() => window.kept")


def test_what_was_fetched_in_vain_is_fetched_again(opened, tmp_path):
    with serving(tmp_path) as server:
        _, run = server.ask("/api/v1/execute", {"definition": WAITS, "name": "waits", "wait": False})
        run_id, port = run["workflow_id"], server.url.rpartition(":")[2]
        with opened(server, lost_connections=True) as page:
            page.goto(f"/workflows/{run_id}")
            page.wait_for_selector("#liveness.online")
            page.route("**/-/workflows/*", lambda route: route.abort("connectionreset"))
            with page.expect_event("requestfailed"):
                signal(server, run_id, "go")
            assert server.stop() == 0
            page.wait_for_selector("#liveness.offline")
            page.unroute("**/-/workflows/*")
            with serving(tmp_path, "--listen", f"127.0.0.1:{port}"):
                page.wait_for_selector("#step-wait .status.completed", timeout=PATIENT)


def test_everything_but_liveness_works_without_scripts(opened, tmp_path):
    with serving(tmp_path, OPCODE_VAULT_KEY="a passphrase that is long enough") as server:
        server.ask("/api/v1/define", {"name": "ask", "definition": ASK, "agent_id": "ada"})
        with opened(server, java_script_enabled=False, refusals=True) as page:
            page.goto("/templates/-/new")
            page.get_by_label("Name", exact=True).fill("plain")
            page.get_by_label("Definition").fill('{"steps": [{"id": "a",\n "action": "crypto.uid"}]}')
            page.get_by_role("button", name="Check").click()
            assert page.locator("#check").get_by_text("line 2").is_visible()
            assert page.get_by_label("Name", exact=True).input_value() == "plain"
            page.get_by_label("Definition").fill('{"steps": [{"id": "a", "action": "crypto.uuid"}]}')
            page.get_by_role("button", name="Store").click()
            page.wait_for_url("**/templates/plain")
            page.get_by_role("button", name="Run", exact=True).click()
            page.wait_for_url("**/workflows/*")
            page.reload()
            assert page.locator(".head .status.completed").is_visible()
            assert page.get_by_role("button", name="copy").count() == 0  # nothing that does nothing
            page.get_by_role("button", name="Run again").click()
            page.goto("/templates/ask")
            page.get_by_role("button", name="Run", exact=True).click()
            page.wait_for_url("**/workflows/*")
            page.goto("/decisions")
            page.get_by_role("button", name="yes").click()
            page.reload()
            assert page.locator(".head .status.completed").is_visible()
            page.locator("details.fold summary").first.click()
            assert page.locator("details.fold pre").first.is_visible()
            page.goto("/secrets")
            page.get_by_label("Name").fill("KEY")
            page.get_by_label("Value").fill("value")
            page.get_by_role("button", name="Store").click()
            page.locator("summary", has_text="Delete").click()
            page.get_by_role("button", name="Yes, delete KEY").click()
            for path in ("/", "/events", "/agents", "/plugins", "/workflows?status=completed"):
                assert page.goto(path).status == 200
                assert page.get_by_role("heading", level=1).count() == 1


def test_the_pages_work_where_the_front_end_was_not_built(opened, tmp_path):
    shutil.copytree(
        PANEL, tmp_path / "source/opcode_panel", ignore=shutil.ignore_patterns("vendor", "__pycache__")
    )
    with serving(tmp_path, PYTHONPATH=str(tmp_path / "source")) as server:
        server.ask("/api/v1/define", {"name": "hello", "definition": HELLO, "agent_id": "ada"})
        said = [line for line in server.log if "front-end files are not built (make panel)" in line]
        assert len(said) == 1
        with opened(server) as page:
            page.goto("/templates/hello")
            page.get_by_role("button", name="Run", exact=True).click()
            page.wait_for_url("**/workflows/*")
            page.reload()
            assert page.locator(".head .status.completed").is_visible()
            assert page.locator("#liveness").inner_text() == ""
            page.goto("/")
        assert len([line for line in server.log if "make panel" in line]) == 1


def test_streams_of_pages_do_not_hold_up_the_end_of_the_server(tmp_path):
    with serving(tmp_path) as server:
        stream = urllib.request.urlopen(f"{server.url}/-/live", timeout=10)
        assert stream.readline()
        assert server.stop(within=8) == 0
        stream.close()
