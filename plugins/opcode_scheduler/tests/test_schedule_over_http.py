"""Webhooks, schedules over REST and `opcode schedule`, against a real server."""

import hashlib
import hmac
import json
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest
from serving import HELLO, serving

SECRET = "a shared secret of some length"
KEY = {"OPCODE_VAULT_KEY": "a passphrase for tests"}
UNIQUE = iter(range(10_000))


def header_of(body, timestamp, secret=SECRET):
    """Written down from the documentation, not with the code's own function."""
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X_Opcode_Timestamp": str(timestamp), "X_Opcode_Signature": f"v1={signed}"}


def call(server, body, template="hooked", timestamp=None, secret=SECRET, **headers):
    if not isinstance(body, bytes):
        body = json.dumps({**body, "unique": next(UNIQUE)} if isinstance(body, dict) else body).encode()
    timestamp = int(time.time()) if timestamp is None else timestamp
    path = "/hooks/" + urllib.parse.quote(template, safe="")
    return server.ask(path, body, **{**header_of(body, timestamp, secret), **headers})


def runs(server, template, **where):
    found = server.ask(
        "/api/v1/query", {"resource": "workflows", "filter": {"template_name": template, **where}}
    )
    return found[1]["workflows"]


def define(server, name, triggers, definition=HELLO):
    body = {"name": name, "definition": definition, "agent_id": "ada"}
    status, answer = server.ask("/api/v1/define", {**body, **({"triggers": triggers} if triggers else {})})
    assert status == 200, answer
    return answer


def vaulted(server, name, value):
    done = server.opcode("secret", "set", name, input=value)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def hooked(server):
    vaulted(server, "HOOK", SECRET)
    define(server, "hooked", {"webhook": {"secret": "HOOK", "params": {"fixed": 1}}})
    define(server, "whole/body", {"webhook": {"secret": "HOOK", "input": "event"}})
    define(server, "none", None)
    define(server, "off", {"webhook": {"secret": "HOOK", "enabled": False}})
    define(server, "lost", {"webhook": {"secret": "NOWHERE"}})
    return server


def test_a_signed_call_starts_a_run_with_its_body_as_params(hooked):
    status, answer = call(hooked, {"name": "Ada", "fixed": 2})
    assert status == 202
    _, run = hooked.ask("/api/v1/status", {"workflow_id": answer["workflow_id"]})
    inputs = run["events"][0]["payload"]["inputs"]
    assert (inputs["name"], inputs["fixed"]) == ("Ada", 1)
    assert runs(hooked, "hooked")[0]["agent_id"] == "ada"


def test_any_json_goes_into_the_input_that_is_named(hooked):
    status, answer = call(hooked, [1, "two", None], "whole/body")
    assert status == 202
    _, run = hooked.ask("/api/v1/status", {"workflow_id": answer["workflow_id"]})
    assert run["events"][0]["payload"]["inputs"]["event"] == [1, "two", None]


def test_the_same_call_again_starts_nothing(hooked):
    body, now = b'{"name": "again"}', int(time.time())
    status, first = call(hooked, body, timestamp=now)
    assert status == 202
    status, again = call(hooked, body, timestamp=now)
    assert (status, again["error"]["code"]) == (409, "CONFLICT")
    assert again["error"]["details"]["workflow_id"] == first["workflow_id"]
    assert call(hooked, body, "whole/body", timestamp=now)[0] == 409  # nor for another template
    spaced = header_of(body, now)
    spaced["X_Opcode_Signature"] = f"v1=00, {spaced['X_Opcode_Signature']}"
    assert hooked.ask("/hooks/hooked", body, **spaced)[0] == 409
    spaced["X_Opcode_Timestamp"] = f"0{now}"
    assert hooked.ask("/hooks/hooked", body, **spaced)[0] == 401


def test_the_same_call_many_times_at_once_is_one_run(hooked):
    before = len(runs(hooked, "hooked", limit=1000))
    body, now = b'{"name": "crowd"}', int(time.time())
    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda _: call(hooked, body, timestamp=now), range(8)))
    assert {status for status, _ in answers} <= {202, 409}
    assert len({answer["workflow_id"] for status, answer in answers if status == 202}) == 1
    assert len(runs(hooked, "hooked", limit=1000)) == before + 1


@pytest.mark.parametrize("apart", [-301, -86_400 * 365, 301, 10**9])
def test_a_call_of_another_time_is_refused(hooked, apart):
    status, answer = call(hooked, {}, timestamp=int(time.time()) + apart)
    assert status == 401
    assert "it must come within 300 s" in answer["error"]["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Opcode_Signature": ""},
        {"X_Opcode_Timestamp": ""},
        {"X_Opcode_Signature": "v1=" + "0" * 64},
        {"X_Opcode_Signature": "v1="},
        {"X_Opcode_Signature": "v2=" + "0" * 64},
        {"X_Opcode_Signature": "\xe9" * 64},
        {"X_Opcode_Signature": "," * 5000},
        {"X_Opcode_Timestamp": "now"},
        {"X_Opcode_Timestamp": "-5"},
        {"X_Opcode_Timestamp": "9" * 300},
        {"X_Opcode_Timestamp": "1e9"},
        {"X_Opcode_Timestamp": "\xb2"},
    ],
)
def test_a_call_without_a_right_signature_is_refused(hooked, headers):
    before = len(runs(hooked, "hooked", limit=1000))
    status, answer = call(hooked, {}, **headers)
    assert (status, answer["error"]["code"]) == (401, "PERMISSION_DENIED")
    assert len(runs(hooked, "hooked", limit=1000)) == before


def test_a_changed_body_or_another_secret_is_refused(hooked):
    now = int(time.time())
    assert hooked.ask("/hooks/hooked", b'{"a": 2}', **header_of(b'{"a": 1}', now))[0] == 401
    assert call(hooked, {}, secret="another")[0] == 401
    assert call(hooked, {}, secret="")[0] == 401


def test_nobody_learns_from_outside_which_templates_have_webhooks(hooked):
    answers = [call(hooked, {}, name) for name in ("none", "off", "lost", "nowhere", "")]
    wrong = call(hooked, {}, secret="wrong")
    assert {(status, json.dumps(answer)) for status, answer in answers} == {(401, json.dumps(wrong[1]))}
    log = "".join(hooked.log)
    for why in ("no such template", "has no webhook", "NOWHERE", "signature is not right"):
        assert why in log
    assert SECRET not in log


@pytest.mark.parametrize(
    ("body", "said"), [(b"[1]", "must be a JSON object"), (b"{", "not JSON"), (b'{"a": NaN}', "not JSON"), (b"\xff", "not JSON")]
)  # fmt: skip
def test_a_body_that_is_no_params_is_told_so(hooked, body, said):
    status, answer = call(hooked, body)
    assert (status, answer["error"]["code"]) == (422, "VALIDATION_ERROR")
    assert said in answer["error"]["message"]


def test_a_body_without_end_is_refused(hooked):
    status, answer = call(hooked, b" " * (1024 * 1024 + 1))
    assert (status, answer["error"]["code"]) == (413, "VALIDATION_ERROR")
    assert call(hooked, b" " * (1024 * 1024 - 2) + b"{}")[0] == 202


def test_only_the_webhooks_path_is_open(hooked):
    assert hooked.ask("/hooks/hooked", method="GET")[0] == 405
    assert call(hooked, {}, Host="evil.example")[0] == 421
    assert call(hooked, {}, Origin="http://evil.example")[0] == 403


def test_a_server_with_tokens_lets_signed_calls_in_and_no_others(tmp_path):
    with serving(tmp_path, OPCODE_TOKEN="a-long-random-text", OPCODE_PANEL="false", **KEY) as server:
        vaulted(server, "HOOK", SECRET)
        body = {
            "name": "hooked",
            "definition": HELLO,
            "agent_id": "ada",
            "triggers": {"webhook": {"secret": "HOOK"}},
        }
        assert server.ask("/api/v1/define", body, token="a-long-random-text")[0] == 200
        now, said = int(time.time()), b'{"name": "x"}'
        assert call(server, said, timestamp=now)[0] == 202
        for path in ("/hooks", "/api/v1/schedules", "/hooksx"):
            assert server.ask(path)[0] == 401, path
        assert server.ask("/hooks/../api/v1/schedules")[0] == 405  # a template's name like any other
        assert server.ask("/hooks/hooked", b"{}")[0] == 401
        assert server.ask("/login")[0] == 404  # no panel
        assert server.stop() == 0
    with serving(tmp_path, OPCODE_TOKEN="a-long-random-text", **KEY) as server:
        assert call(server, said, timestamp=now)[0] == 409  # remembered over a restart


def test_calls_without_end_are_slowed_down(hooked):
    with ThreadPoolExecutor(8) as crowd:
        statuses = set(crowd.map(lambda _: hooked.ask("/hooks/none", b"{}")[0], range(400)))
    assert statuses == {401, 429}


# ---- REST ----------------------------------------------------------------------------------------


def test_schedules_over_rest(server):
    define(server, "report", None)
    wish = {
        "template_name": "report",
        "cron_expression": "0 9 * * mon-fri",
        "timezone": "Europe/Paris",
        "id": "rest",
    }
    status, made = server.ask("/api/v1/schedules", wish)
    assert (status, made["enabled"], made["catchup"], made["agent_id"]) == (201, True, "one", "local")
    assert server.ask("/api/v1/schedules", wish)[0] == 409
    status, answer = server.ask("/api/v1/schedules", {**wish, "id": "x", "cron_expression": "0 0 31 2 *"})
    assert (status, "never comes true" in answer["error"]["message"]) == (422, True)
    status, one = server.ask("/api/v1/schedules/rest")
    assert (status, len(one["next_times"]), one["history"]) == (200, 10, [])
    status, changed = server.ask("/api/v1/schedules/rest", {"enabled": False}, method="PATCH")
    assert (status, changed["next_run_at"]) == (200, None)
    status, ran = server.ask("/api/v1/schedules/rest/run", {})
    assert status == 200
    server.ask("/api/v1/status", {"workflow_id": ran["workflow_id"]})
    _, one = server.ask("/api/v1/schedules/rest")
    assert one["history"][0]["workflow_id"] == ran["workflow_id"]
    assert "rest" in [job["id"] for job in server.ask("/api/v1/schedules")[1]["schedules"]]
    assert server.ask("/api/v1/schedules/rest", method="DELETE")[0] == 200
    assert server.ask("/api/v1/schedules/rest")[0] == 404
    assert server.ask("/api/v1/schedules", [1])[0] == 422


def test_roles_and_agents_are_kept_apart(tmp_path):
    with serving(tmp_path, OPCODE_TOKEN="a-long-random-text") as server:
        define_body = {"name": "t", "definition": HELLO, "agent_id": "ada"}
        assert server.ask("/api/v1/define", define_body, token="a-long-random-text")[0] == 200
        tokens = {
            (agent, role): server.opcode("token", "create", "--agent", agent, "--role", role).stdout.strip()
            for agent, role in [("ada", "viewer"), ("ada", "operator"), ("ada", "author"), ("eve", "author")]
        }
        wish = {"template_name": "t", "cron_expression": "@daily", "id": "j"}

        def status(who, path, body=None, method=None):
            return server.ask(f"/api/v1/schedules{path}", body, token=tokens[who], method=method)[0]

        assert status(("ada", "viewer"), "", wish) == 403
        assert status(("ada", "operator"), "", wish) == 403
        assert status(("eve", "author"), "", {**wish, "agent_id": "ada"}) == 403
        assert status(("ada", "author"), "", wish) == 201
        assert status(("eve", "author"), "/j", {"enabled": False}, "PATCH") == 403
        assert status(("eve", "author"), "/j/run", {}) == 403
        assert status(("eve", "author"), "/j", None, "DELETE") == 403
        assert status(("ada", "author"), "/j", {"agent_id": "eve"}, "PATCH") == 403
        assert status(("ada", "viewer"), "/j") == 200
        assert status(("ada", "viewer"), "/j/run", {}) == 403
        assert status(("ada", "operator"), "/j/run", {}) == 200
        assert status(("ada", "author"), "/j", None, "DELETE") == 200


# ---- the command line ----------------------------------------------------------------------------


def said(done, code=0):
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_the_command_line_and_the_running_server_see_the_same(server):
    define(server, "cli", None)
    made = json.loads(
        said(server.opcode("schedule", "add", "cli", "@hourly", "--id", "cli", "-p", "n=1", "--json"))
    )
    assert made["params"] == {"n": 1}
    assert server.ask("/api/v1/schedules/cli")[1]["cron_expression"] == "@hourly"
    ran = json.loads(said(server.opcode("schedule", "run", "cli", "--json")))["workflow_id"]
    assert ran in [run["workflow_id"] for run in runs(server, "cli")]
    assert "cli" in said(server.opcode("schedule", "list"))
    assert ran in said(server.opcode("schedule", "show", "cli"))
    edited = said(
        server.opcode("schedule", "edit", "cli", "--cron", "0 0 1 1 *", "--timezone", "Asia/Kolkata")
    )
    assert "-12-31T18:30:00.000Z" in edited
    assert len(said(server.opcode("schedule", "next", "cli", "--count", "3")).splitlines()) == 3
    said(server.opcode("schedule", "disable", "cli"))
    assert "disabled" in said(server.opcode("schedule", "list"))
    said(server.opcode("schedule", "enable", "cli"))
    said(server.opcode("schedule", "delete", "cli"))
    assert server.ask("/api/v1/schedules/cli")[0] == 404


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["add", "cli", "61 * * * *"], 1, "minute: 61 is not 0 to 59"),
        (["add", "cli", "0 0 30 2 *"], 1, "never comes true"),
        (["add", "cly", "@daily"], 1, "there is no template 'cly'"),
        (["add", "cli", "@daily", "--timezone", "Mars"], 1, "there is no time zone 'Mars'"),
        (["add", "cli", "@daily", "-p", "x"], 2, "write KEY=VALUE"),
        (["add", "cli", "@daily", "--catchup", "some"], 2, "some"),
        (["show", "nobody"], 1, "there is no schedule 'nobody'"),
        (["edit", "nobody"], 2, "nothing is to be changed"),
        (["run", "nobody"], 1, "there is no schedule 'nobody'"),
        (["next", "0 0 31 2 *"], 1, "never comes true"),
    ],
)
def test_what_is_wrong_is_one_line(server, arguments, code, text):
    done = server.opcode("schedule", *arguments)
    assert done.returncode == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_the_running_server_is_told_of_triggers_in_a_file(server):
    (server.home / "timed.json").write_text(json.dumps(HELLO))
    triggers = server.home / "triggers.json"
    triggers.write_text('{"cron": {"expression": "61 * * * *"}}')
    refused = server.opcode("define", "timed.json", "--triggers", "triggers.json")
    assert refused.returncode == 1
    assert "triggers.cron.expression" in refused.stderr
    triggers.write_text('{"cron": {"expression": "0 0 1 1 *"}, "crom": 1}')
    done = server.opcode("define", "timed.json", "--triggers", "triggers.json")
    assert "timed v1" in said(done)
    assert "did you mean 'cron'" in done.stderr
    jobs = server.ask("/api/v1/schedules")[1]["schedules"]
    assert [job["cron_expression"] for job in jobs if job["template_name"] == "timed"] == ["0 0 1 1 *"]


def test_without_a_server_a_schedule_runs_here(server, tmp_path):
    environment = {**server.environment, "HOME": str(tmp_path)}
    from dataclasses import replace

    alone = replace(server, environment=environment, home=tmp_path)
    (tmp_path / "t.json").write_text(json.dumps(HELLO))
    said(alone.opcode("define", "t.json"))
    said(alone.opcode("schedule", "add", "t", "@daily", "--id", "j", "--agent", "ada"))
    ran = json.loads(said(alone.opcode("schedule", "run", "j", "--json")))
    assert ran["status"] == "completed"
    shown = json.loads(said(alone.opcode("schedule", "show", "j", "--json")))
    assert (shown["last_run_status"], shown["last_run_id"]) == ("completed", ran["workflow_id"])
