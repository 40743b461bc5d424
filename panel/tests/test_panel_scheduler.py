"""The scheduler's pages make, show, change, run, stop and delete schedules, for those who may."""

import http.client
import re
import urllib.parse

import pytest
from serving import ASK, HELLO, serving

HOSTILE = """</script><script>alert(1)</script>"><img src=x onerror=alert(1)>{{7*7}}"""


class Browser:
    """As much of one as forms and links need."""

    def __init__(self, server, cookie=""):
        self.server = server
        self.cookie = cookie

    def get(self, path):
        return self._ask("GET", path, None, {})

    def post(self, path, form, site="same-origin"):
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": site}
        return self._ask("POST", path, urllib.parse.urlencode(form), kind)

    def _ask(self, method, path, body, headers):
        wire = http.client.HTTPConnection(self.server.url.removeprefix("http://"), timeout=30)
        cookie = {"Cookie": self.cookie} if self.cookie else {}
        wire.request(method, path, body, {"Accept": "text/html", **headers, **cookie})
        response = wire.getresponse()
        text = response.read().decode()
        wire.close()
        return response, text


@pytest.fixture(scope="module")
def browser(server):
    for name, definition in (("hello", HELLO), ("ask", ASK), ("<b>" + HOSTILE[:90], HELLO)):
        status, answer = server.ask(
            "/api/v1/define", {"name": name, "definition": definition, "agent_id": "ada"}
        )
        assert status == 200, answer
    return Browser(server)


FORM = {
    "template_name": "hello",
    "cron_expression": "0 9 * * mon-fri",
    "timezone": "Europe/Paris",
    "params": '{"name": "' + "<i>x" + '"}',
    "catchup": "all",
    "agent_id": "ada",
}


def test_a_schedule_is_made_shown_changed_run_and_deleted(browser):
    response, _ = browser.post("/scheduler", {**FORM, "id": "morning"})
    assert (response.status, response.headers["Location"]) == (303, "/scheduler/morning")
    response, text = browser.get("/scheduler/morning")
    assert response.status == 200
    assert len(re.findall(r"<td[^>]*>\d{4}-\d\d-\d\d 09:00</td>", text)) == 10
    assert "<i>x" not in text
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]
    _, text = browser.get("/scheduler")
    assert 'href="/scheduler/morning"' in text
    assert 'aria-current="page">Scheduler' in text
    assert "hello" in browser.get("/")[1]

    response, _ = browser.post("/scheduler/morning/run", {})
    assert response.headers["Location"].startswith("/workflows/")
    run_id = response.headers["Location"].rpartition("/")[2]
    browser.server.ask("/api/v1/status", {"workflow_id": run_id})
    assert run_id in browser.get("/scheduler/morning")[1]

    changed = {**FORM, "cron_expression": "30 7 * * *", "params": "", "agent_id": "bob"}
    assert browser.post("/scheduler/morning", changed)[0].status == 303
    _, text = browser.get("/scheduler/morning")
    assert "07:30" in text
    assert browser.post("/scheduler/morning/enabled", {"to": "false"})[0].status == 303
    _, text = browser.get("/scheduler/morning")
    assert "disabled" in text
    assert "Were it enabled" in text
    assert browser.post("/scheduler/morning/enabled", {"to": "true"})[0].status == 303
    assert browser.post("/scheduler/morning/delete", {})[0].headers["Location"] == "/scheduler"
    assert browser.get("/scheduler/morning")[0].status == 404


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"cron_expression": "61 9 * * *"}, "minute: 61 is not 0 to 59"),
        ({"cron_expression": "0 0 31 2 *"}, "never comes true"),
        ({"timezone": "Europe/Pariss"}, "did you mean"),
        ({"params": "{"}, "params is not JSON"),
        ({"params": "[1]"}, "params"),
        ({"template_name": "nope"}, "there is no template"),
        ({"template_version": "v9"}, "no version v9"),
        ({"cron_expression": HOSTILE}, "it needs five"),
    ],
)
def test_what_is_wrong_is_told_where_it_was_written(browser, wrong, said):
    response, text = browser.post("/scheduler", {**FORM, **wrong})
    assert response.status == 422
    assert said in text
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    if "cron_expression" in wrong:
        assert 'value="Europe/Paris"' in text  # what was right is still there


def test_a_schedule_of_a_trigger_can_be_disabled_and_nothing_else(browser):
    triggers = {"cron": {"expression": "0 0 1 1 *", "name": "yearly"}}
    body = {"name": "ask", "definition": ASK, "agent_id": "ada", "triggers": triggers}
    assert browser.server.ask("/api/v1/define", body)[0] == 200
    job = next(
        one for one in browser.server.ask("/api/v1/schedules")[1]["schedules"] if one["trigger"] == "yearly"
    )
    path = f"/scheduler/{job['id']}"
    _, text = browser.get(path)
    assert "triggers" in text
    assert "/delete" not in text
    response, text = browser.post(f"{path}/delete", {})
    assert (response.status, "comes from the triggers" in text) == (409, True)
    assert browser.post(f"{path}/enabled", {"to": "false"})[0].status == 303
    response, _ = browser.post(f"{path}/run", {})
    assert response.status == 303
    response, text = browser.post(f"{path}/run", {})  # it waits for a decision
    assert (response.status, "never overlaps itself" in text) == (409, True)


def test_other_sites_change_nothing(browser):
    assert browser.post("/scheduler", FORM, site="cross-site")[0].status == 403


def test_roles_are_respected(tmp_path):
    with serving(tmp_path, OPCODE_TOKEN="a-long-random-text") as server:
        body = {"name": "hello", "definition": HELLO, "agent_id": "ada"}
        assert server.ask("/api/v1/define", body, token="a-long-random-text")[0] == 200

        def browser_of(agent, role):
            made = server.opcode("token", "create", "--agent", agent, "--role", role).stdout.strip()
            return Browser(server, f"opcode_token={made}")

        author, viewer = browser_of("ada", "author"), browser_of("ada", "viewer")
        operator, other = browser_of("ada", "operator"), browser_of("eve", "author")
        assert author.post("/scheduler", {**FORM, "id": "mine", "agent_id": ""})[0].status == 303
        assert author.post("/scheduler", {**FORM, "agent_id": "eve"})[0].status == 422
        assert viewer.get("/scheduler")[0].status == 200
        assert "<textarea" not in viewer.get("/scheduler")[1]
        for path, form in (
            ("", FORM),
            ("/mine", FORM),
            ("/mine/enabled", {"to": "false"}),
            ("/mine/delete", {}),
        ):
            assert viewer.post(f"/scheduler{path}", form)[0].status == 403, path
            assert operator.post(f"/scheduler{path}", form)[0].status == 403, path
            if path:
                assert other.post(f"/scheduler{path}", form)[0].status == 403, path
        assert viewer.post("/scheduler/mine/run", {})[0].status == 403
        assert other.post("/scheduler/mine/run", {})[0].status == 403
        assert operator.post("/scheduler/mine/run", {})[0].status == 303
