"""Every page answers, escapes what it shows, and does what its buttons say; without a browser."""

import http.client
import re
import urllib.parse

import pytest
from serving import ASK, HELLO, serving

HOSTILE = """</script><script>alert(1)</script>"><img src=x onerror=alert(1)>{{7*7}}"""
TEMPLATE = HOSTILE + "${{secrets.X}}"


class Browser:
    """As much of one as forms and links need."""

    def __init__(self, server, cookie=""):
        self.server = server
        self.cookie = cookie

    def get(self, path, **headers):
        return self._ask("GET", path, None, headers)

    def post(self, path, form, **headers):
        body = urllib.parse.urlencode(form)
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
        return self._ask("POST", path, body, {**kind, **headers})

    def _ask(self, method, path, body, headers):
        wire = http.client.HTTPConnection(self.server.url.removeprefix("http://"), timeout=30)
        sent = {"Accept": "text/html", **{k.replace("_", "-"): v for k, v in headers.items()}}
        if self.cookie:
            sent["Cookie"] = self.cookie
        wire.request(method, path, body, sent)
        response = wire.getresponse()
        text = response.read().decode()
        wire.close()
        return response, text


@pytest.fixture(scope="module")
def filled(server):
    for name, definition in (("hello", HELLO), ("ask", ASK)):
        server.ask("/api/v1/define", {"name": name, "definition": definition, "agent_id": "ada"})
    hostile = {
        "steps": [
            {
                "id": "ask",
                "type": "reasoning",
                "config": {
                    "prompt_context": "${{inputs.x}}",
                    "options": [{"id": "yes", "description": HOSTILE}],
                },
            }
        ],
        "inputs": {"x": HOSTILE},
        "context": {"intent": HOSTILE, HOSTILE: HOSTILE},
    }
    status, _ = server.ask(
        "/api/v1/define",
        {"name": "<b>" + HOSTILE[:100], "definition": hostile, "agent_id": "<i>eve", "description": HOSTILE},
    )
    assert status == 200
    server.ask(
        "/api/v1/run",
        {"template_name": "<b>" + HOSTILE[:100], "agent_id": "<i>eve", "params": {"x": TEMPLATE}},
    )
    server.ask("/api/v1/run", {"template_name": "ask", "agent_id": "ada"})
    server.ask("/api/v1/run", {"template_name": "hello", "agent_id": "ada"})
    failing = {"steps": [{"id": "no", "action": "workflow.fail", "params": {"reason": HOSTILE}}]}
    server.ask("/api/v1/execute", {"definition": failing, "name": HOSTILE})
    return server


def pages(server):
    _, listed = server.ask("/api/v1/query", {"resource": "workflows"})
    _, decisions = server.ask("/api/v1/decisions")
    _, templates = server.ask("/api/v1/query", {"resource": "templates"})
    return [
        "/",
        "/workflows",
        "/workflows?status=failed",
        *(f"/workflows/{run['workflow_id']}" for run in listed["workflows"]),
        "/decisions",
        "/decisions?status=resolved",
        *(f"/decisions/{decision['id']}" for decision in decisions["decisions"]),
        "/templates",
        *(f"/templates/{urllib.parse.quote(one['name'], safe='')}" for one in templates["templates"]),
        "/templates/-/new",
        "/templates/-/new?template=hello",
        "/events",
        "/agents",
        "/plugins",
        "/secrets",
    ]


def test_every_page_answers_and_runs_nothing_that_it_shows(filled):
    browser = Browser(filled)
    found = pages(filled)
    assert len(found) > 18
    for path in found:
        response, text = browser.get(path)
        assert response.status == 200, (path, text[:500])
        assert "script-src 'self'" in response.headers["Content-Security-Policy"]
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "<b>" + HOSTILE[:20] not in text
        assert re.search(r"<h1", text), path
        assert 'lang="en"' in text


def test_what_is_not_there_is_a_page_too(filled):
    response, text = Browser(filled).get("/workflows/nope")
    assert response.status == 404
    assert "there is no run" in text
    assert "Traceback" not in text


def test_a_decision_is_made_with_one_click(filled):
    browser = Browser(filled)
    ran = filled.ask("/api/v1/run", {"template_name": "ask", "agent_id": "ada"})[1]
    decision = ran["pending_decisions"][0]["id"]
    _, text = browser.get(f"/decisions/{decision}")
    assert '<button name="choice" value="yes">' in text
    response, _ = browser.post(f"/decisions/{decision}", {"choice": "yes", "reasoning": "looks good"})
    assert (response.status, response.headers["Location"]) == (303, f"/workflows/{ran['workflow_id']}")
    _, text = browser.get(f"/decisions/{decision}")
    assert "looks good" in text
    assert "panel" in text


def test_a_template_is_written_checked_and_run(filled):
    browser = Browser(filled)
    _, text = browser.post("/-/check", {"definition": '{"steps": [\n {"id": "a", "action": "htp.get"}]}'})
    assert "line 2" in text
    assert "steps[0].action" in text
    bad = {"name": "mine", "definition": "{", "input_schema": ""}
    response, text = browser.post("/templates", bad)
    assert (response.status, "VALIDATION_ERROR" in text) == (422, True)
    schema = '{"properties": {"name": {"type": "string"}, "n": {"type": "integer", "minimum": 1}}, "required": ["n"]}'
    definition = '{"inputs": {"name": "x"}, "steps": [{"id": "a", "action": "workflow.log", "params": {"message": "${{inputs.n}}"}}]}'
    response, _ = browser.post(
        "/templates", {"name": "mine", "definition": definition, "input_schema": schema}
    )
    assert response.headers["Location"] == "/templates/mine"
    _, text = browser.get("/templates/mine")
    assert 'type="number"' in text
    response, text = browser.post("/templates/mine", {"field.n": "many"})
    assert (response.status, "n is &#39;many&#39;; it must be a whole number" in text) == (422, True)
    response, _ = browser.post("/templates/mine", {"field.n": "3", "field.name": "Ada"})
    assert response.headers["Location"].startswith("/workflows/")


def test_a_run_is_cancelled_and_run_again(filled):
    browser = Browser(filled)
    ran = filled.ask("/api/v1/run", {"template_name": "ask", "agent_id": "ada"})[1]
    path = f"/workflows/{ran['workflow_id']}"
    _, text = browser.get(path)
    assert 'value="cancel"' in text
    assert browser.post(f"{path}/signal", {"kind": "cancel"})[0].status == 303
    _, text = browser.get(path)
    assert "cancelled" in text
    response, _ = browser.post(f"{path}/again", {})
    assert response.headers["Location"] != path
    response, _ = browser.post(f"{path}/fork", {"step_id": "ask"})
    assert response.headers["Location"].startswith("/workflows/")


@pytest.mark.parametrize("headers", [{"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}])
def test_other_sites_change_nothing(filled, headers):
    response, _ = Browser(filled).post("/templates", {"name": "evil", "definition": "{}"}, **headers)
    assert response.status == 403


def test_whoever_is_not_known_comes_in_by_the_login(tmp_path):
    with serving(tmp_path, OPCODE_TOKEN="a-long-random-text") as server:
        stranger = Browser(server)
        response, _ = stranger.get("/")
        assert (response.status, response.headers["Location"]) == (303, "/login")
        assert stranger.get("/login")[0].status == 200
        assert stranger.get("/static/panel.css")[0].status == 200
        response, _ = stranger.post("/login", {"token": "a-long-random-text"})
        cookie = response.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        known = Browser(server, cookie.partition(";")[0])
        assert known.get("/")[0].status == 200
        wrong = Browser(server, "opcode_token=nonsense")
        assert wrong.get("/")[0].status == 303
        made = server.opcode("token", "create", "--agent", "ada", "--role", "viewer").stdout.strip()
        viewer = Browser(server, f"opcode_token={made}")
        assert viewer.get("/workflows")[0].status == 200
        assert viewer.get("/secrets")[0].status == 403
        response, _ = viewer.post(
            "/templates", {"name": "x", "definition": '{"steps": [{"id": "a", "action": "crypto.uuid"}]}'}
        )
        assert response.status == 422
