"""Who comes in, what they see, and what other sites can do."""

import http.server
import threading

import pytest
from serving import ASK, HELLO, serving

TOKEN = "a-long-random-text"


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("locked"), OPCODE_TOKEN=TOKEN) as server:
        for name, definition in (("hello", HELLO), ("ask", ASK)):
            server.ask(
                "/api/v1/define", {"name": name, "definition": definition, "agent_id": "ada"}, token=TOKEN
            )
        server.ask("/api/v1/run", {"template_name": "ask", "agent_id": "ada"}, token=TOKEN)
        failing = {"steps": [{"id": "no", "action": "workflow.fail", "params": {"reason": "no"}}]}
        server.ask(
            "/api/v1/execute", {"definition": failing, "name": "fails", "agent_id": "ada"}, token=TOKEN
        )
        yield server


def come_in(page, token):
    page.goto("/")
    page.wait_for_url("**/login")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()


def test_login_and_logout(opened, locked):
    with opened(locked, refusals=True) as page:
        come_in(page, "nonsense")
        page.wait_for_url("**/login*")
        assert "not known" in page.get_by_role("alert").inner_text()
        come_in(page, TOKEN)
        page.wait_for_url(f"{locked.url}/")
        (cookie,) = page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
        assert page.evaluate("() => document.cookie") == ""
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url("**/login")
        assert page.context.cookies() == []
        assert page.locator("nav").count() == 0
        page.goto("/workflows")
        page.wait_for_url("**/login")


@pytest.mark.parametrize("role", ["viewer", "operator", "author", "admin"])
def test_nobody_sees_a_button_that_fails(opened, locked, role):
    made = locked.opcode("token", "create", "--agent", "ada", "--role", role).stdout.strip()
    may = ("viewer", "operator", "author", "admin").index(role)
    with opened(locked) as page:
        come_in(page, made)
        page.wait_for_url(f"{locked.url}/")
        assert (page.get_by_role("link", name="Secrets").count() == 1) == (may == 3)
        page.goto("/templates")
        assert (page.get_by_role("link", name="Write one").count() == 1) == (may >= 2)
        page.goto("/templates/hello")
        assert (page.get_by_role("button", name="Run").count() == 1) == (may >= 1)
        assert (page.get_by_role("link", name="New version").count() == 1) == (may >= 2)
        page.goto("/decisions")
        assert (page.get_by_role("button", name="Reject").count() >= 1) == (may >= 1)
        page.goto("/workflows?status=failed")
        page.get_by_role("link", name="fails").first.click()
        buttons = page.locator("main button:not(.copy)").all_inner_texts()
        assert (set(buttons) >= {"Retry", "Run again", "Skip", "Fork"}) == (may >= 1)
        assert may or not buttons
        if may:
            page.get_by_role("button", name="Run again").click()
            page.wait_for_selector(".head .status.failed")
            assert page.locator(".facts").get_by_text("ada").is_visible()
    if may < 3:
        with opened(locked, refusals=True) as page:
            come_in(page, made)
            page.wait_for_url(f"{locked.url}/")
            page.goto("/secrets")
            assert "PERMISSION_DENIED" in page.get_by_role("alert").inner_text()


def test_a_question_for_another_agent_shows_no_form(opened, locked):
    asks = {
        "steps": [
            {"id": "q", "type": "reasoning", "config": {"prompt_context": "For eve", "target_agent": "eve"}}
        ]
    }
    _, ran = locked.ask(
        "/api/v1/execute", {"definition": asks, "name": "for eve", "agent_id": "ada"}, token=TOKEN
    )
    made = locked.opcode("token", "create", "--agent", "ada", "--role", "author").stdout.strip()
    with opened(locked) as page:
        come_in(page, made)
        page.wait_for_url(f"{locked.url}/")
        page.goto(f"/decisions/{ran['pending_decisions'][0]['id']}")
        assert page.get_by_text("Asked of eve").is_visible()
        assert page.get_by_role("button", name="Answer").count() == 0


def test_another_site_changes_nothing(chromium, locked):
    """A page of another origin posts a form to us, in a browser that is logged in."""
    form = f"""<!doctype html><form method="post" action="{locked.url}/templates">
        <input name="name" value="evil"><input name="definition" value='{{"steps":[{{"id":"a","action":"crypto.uuid"}}]}}'>
        </form><script>document.forms[0].submit()</script>"""

    class Evil(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(form.encode())

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Evil) as evil:
        thread = threading.Thread(target=evil.serve_forever, daemon=True)
        thread.start()
        try:
            context = chromium.new_context(base_url=locked.url)
            page = context.new_page()
            come_in(page, TOKEN)
            page.wait_for_url(f"{locked.url}/")
            with page.expect_response(lambda answer: answer.request.method == "POST") as posted:
                page.goto(f"http://localhost:{evil.server_port}/")
            assert posted.value.status in (303, 401, 403)
            context.close()
        finally:
            evil.shutdown()
            thread.join(5)
    _, listed = locked.ask("/api/v1/query", {"resource": "templates"}, token=TOKEN)
    assert "evil" not in [one["name"] for one in listed["templates"]]
