"""Tool servers of a real `opcode serve`: commands, what agents and doctors see, ends of all kinds, and starts after them."""

import json
import os
import signal
import sys
import time

import pytest
from serving import serving
from toolhouse import HERE, is_alive, pids_in, tool, write

NAUGHTY = (sys.executable, str(HERE / "naughty.py"))
KEY = {"OPCODE_VAULT_KEY": "a passphrase for this test"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("home"), **KEY) as running:
        yield running


def told(server, *arguments, code=0, **options):
    done = server.opcode("tools", arguments[0], "--json", *arguments[1:], **options)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


def execute(server, *steps, **more):
    status, answer = server.ask("/api/v1/execute", {"definition": {"steps": list(steps)}, **more})
    assert status == 200, answer
    return answer


def step(action, **params):
    return {"id": "a", "action": action, "params": params}


def until(check, within=20.0):
    end = time.monotonic() + within
    while not (found := check()):
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return found


def test_a_server_is_added_used_shown_restarted_and_removed(server):
    added = told(server, "add", "one", "--env", "COLOUR=blue", "--", *NAUGHTY)
    assert (added["id"], added["state"], added["origin"]) == ("one", "active", "added")
    assert "echo" in added["tools"]
    assert execute(server, step("one.echo", text="hi"))["output"] == {"a": {"text": "hi"}}
    (listed,) = told(server, "list")["tool_servers"]
    assert (listed["state"], listed["environment"], is_alive(listed["pid"])) == ("active", ["COLOUR"], True)
    shown = told(server, "show", "one")
    assert shown["approved"]["echo"]["effect"] == "pure"
    text = server.opcode("tools", "show", "one").stdout
    assert "one.echo  [pure]  Give back." in text
    assert "is given COLOUR" in text
    assert "blue" not in text
    told(server, "restart", "one")
    again = until(
        lambda: [s for s in told(server, "list")["tool_servers"] if s["pid"] not in (None, listed["pid"])]
    )
    assert again[0]["state"] == "active"
    told(server, "remove", "one")
    until(lambda: not is_alive(again[0]["pid"]))
    assert told(server, "list")["tool_servers"] == []


def test_a_command_uses_the_tools_where_a_server_runs_and_where_none_does(server, tmp_path):
    told(server, "add", "two", "--", *NAUGHTY)
    path = server.home / "two.json"
    path.write_text(json.dumps({"steps": [step("two.echo", text="hi")]}))
    done = server.opcode("run", "-q", str(path))
    assert (done.returncode, json.loads(done.stdout)) == (0, {"a": {"text": "hi"}})
    path.write_text(json.dumps({"steps": [step("two.echo")]}))
    done = server.opcode("validate", str(path))
    assert (done.returncode, "'text' is missing" in done.stderr) == (1, True)
    path.write_text(json.dumps({"steps": [step("two.echo", text="alone")]}))
    environment = {**server.environment, "HOME": str(tmp_path)}
    for arguments in (
        ("tools", "add", "two", "--", *NAUGHTY),
        ("validate", str(path)),
        ("run", "-q", str(path)),
    ):
        done = _opcode(server, environment, *arguments)
        assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"a": {"text": "alone"}}
    told(server, "remove", "two")


def _opcode(server, environment, *arguments):
    import subprocess

    from serving import OPCODE

    command = [OPCODE, *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=60, cwd=server.home
    )


def test_everybody_sees_how_a_server_is(server):
    added = told(server, "add", "bad", "--", *NAUGHTY, "--mode", "crash", code=1)
    assert (added["state"], added["detail"]) == ("error", "it ended with exit code 3: no licence")
    told(server, "add", "good", "--", *NAUGHTY)
    listed = json.loads(server.opcode("plugins", "list", "--json").stdout)["providers"]
    assert [(one["id"], one["state"]) for one in listed] == [("bad", "error"), ("good", "active")]
    assert "✗ error" in server.opcode("plugins", "list").stdout
    done = server.opcode("doctor")
    assert done.returncode == 1
    assert "tool server bad is down: it ended with exit code 3: no licence" in done.stdout
    _, answer = server.ask("/api/v1/actions")
    (echo,) = [action for action in answer["actions"] if action["name"] == "good.echo"]
    assert echo["tool_server"] == {"id": "good", "state": "active", "detail": ""}
    assert echo["params_schema"]["required"] == ["text"]
    error = execute(server, step("bad.x"))["error"]
    assert (error["code"], "no licence" in error["message"]) == ("ACTION_UNAVAILABLE", True)
    told(server, "remove", "bad")
    told(server, "remove", "good")


def test_changed_tools_are_approved_on_the_command_line(server, tmp_path):
    file = write(tmp_path / "tools.json", [tool("say", "Old.")])
    told(server, "add", "three", "--", *NAUGHTY, "--tools", file)
    write(tmp_path / "tools.json", [tool("say", "New \x1b[31mred."), tool("echo")])
    told(server, "restart", "three")
    until(lambda: told(server, "show", "three")["waiting"])
    until(lambda: execute(server, step("three.say", text="x"))["error"])
    text = server.opcode("tools", "show", "three").stdout
    assert "say is changed and waits for approval" in text
    assert "\x1b" not in text
    (line,) = [line for line in text.splitlines() if "tools approve" in line and "say" not in line][:1]
    assert "wait for approval" in server.opcode("doctor").stdout
    missing = server.opcode("tools", "approve", "three", "sya")
    assert (missing.returncode, "did you mean 'say'?" in missing.stderr) == (1, True)
    assert server.opcode(*line.split()[1:]).returncode == 0
    told(server, "approve", "three")
    until(lambda: execute(server, step("three.say", text="x"))["status"] == "completed")
    told(server, "remove", "three")


def test_what_is_said_wrongly_is_a_usage_error_in_one_line(server):
    for arguments, words in (
        (("add", "x"), "what is to be started or reached?"),
        (("add", "X", "--", "true"), "id: is 'X'"),
        (("add", "crypto", "--", "true"), "the id 'crypto' is taken"),
        (("add", "x", "--env", "A", "--", "true"), "--env 'A': write NAME=VALUE"),
        (("add", "x", "--timeout", "soon", "--", "true"), "timeout:"),
        (("show", "nobody"), "there is no tool server 'nobody'"),
        (("approve", "nobody"), "there is no tool server 'nobody'"),
    ):
        done = server.opcode("tools", *arguments)
        assert done.returncode in (1, 2), done.stdout
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    done = server.opcode("tools", "add", "x", "--env", "API_TOKEN=abc", "--", "no-such-program")
    assert "API_TOKEN is stored as it is; keep a secret in the vault" in done.stderr
    told(server, "remove", "x")


def test_secrets_come_from_the_vault_and_are_in_no_file(tmp_path):
    with serving(tmp_path, **KEY) as server:
        assert server.opcode("secret", "set", "TOOL_KEY", input="s3cret-value\n").returncode == 0
        added = told(
            server, "add", "s", "--env", "TOKEN=${{secrets.TOOL_KEY}}", "--", *NAUGHTY, "--mode", "secretive"
        )
        assert added["state"] == "active", added
        output = execute(server, step("s.env"))["output"]["a"]["env"]
        assert output["TOKEN"] == "***"
        assert "OPCODE_VAULT_KEY" not in output
        assert execute(server, step("s.confess"))["output"] == {"a": {"text": "it is ***"}}
        server.stop()
        assert any("s says: my token is ***" in line for line in server.log)
        assert "s3cret-value" not in "".join(server.log)
    for path in (tmp_path / ".opcode").rglob("*"):
        assert not path.is_file() or b"s3cret-value" not in path.read_bytes(), path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_daemon(tmp_path, number):
    note = tmp_path / "note"
    (tmp_path / "home").mkdir()
    with serving(tmp_path / "home", **KEY) as server:
        told(server, "add", "t", "--", *NAUGHTY, "--mode", "stubborn", "--note", str(note))
        child = int(execute(server, step("t.child"))["output"]["a"]["text"])
        pids = (*pids_in(note), child)
        assert all(map(is_alive, pids))
        server.stop(number)
        until(lambda: not any(map(is_alive, pids)))


@pytest.mark.parametrize(
    ("name", "on_crash", "expected", "calls"),
    [
        ("sleep", "retry", "completed", 2),
        ("sleep", "fail", "failed", 1),
        ("sleep", "suspend", "suspended", 1),
        ("idle", "fail", "completed", 2),  # it says that it is idempotent
    ],
)
def test_a_call_that_a_crash_cut_off_follows_its_effect(tmp_path, name, on_crash, expected, calls):
    note, file = tmp_path / "note", tmp_path / "tools.json"
    write(file, [tool("sleep"), tool("idle", annotations={"idempotentHint": True})])
    (tmp_path / "home").mkdir()
    cut = {**step(f"t.{name}", seconds=2), "on_crash": on_crash}
    with serving(tmp_path / "home", **KEY) as server:
        told(server, "add", "t", "--", *NAUGHTY, "--tools", str(file), "--note", str(note))
        run_id = execute(server, cut, wait=False)["workflow_id"]
        until(lambda: "begin" in note.read_text())
        server.stop(signal.SIGKILL)
    with serving(tmp_path / "home", **KEY) as server:

        def settled():
            _, answer = server.ask("/api/v1/status", {"workflow_id": run_id})
            return answer if answer["status"] != "active" else None

        answer = until(settled, 40)
        assert answer["status"] == expected, answer
        begun = [line for line in note.read_text().splitlines() if line.startswith("begin ")]
        assert len(begun) == calls
        assert len(set(begun)) == 1  # with the same idempotency key


def test_servers_in_the_settings_file(tmp_path):
    home = tmp_path / "home"
    (home / ".opcode").mkdir(parents=True)
    config = {"id": "s", "command": NAUGHTY[0], "args": [NAUGHTY[1]]}
    path = home / ".opcode/settings.json"
    path.write_text(json.dumps({"tools": [config]}))
    with serving(home, **KEY) as server:
        assert execute(server, step("s.echo", text="x"))["output"] == {"a": {"text": "x"}}
        (listed,) = told(server, "list")["tool_servers"]
        assert (listed["origin"], listed["state"]) == ("settings", "active")
        done = server.opcode("tools", "remove", "s")
        assert (done.returncode, "is in the settings" in done.stderr) == (1, True)
        path.write_text(json.dumps({"tools": [{**config, "argz": []}]}))
        done = server.opcode("tools", "list")
        assert (done.returncode, "settings: tools[0].argz: there is no such field here" in done.stderr) == (
            1,
            True,
        )
        path.write_text(json.dumps({"tools": {"id": "s"}}))
        done = server.opcode("tools", "list")
        assert (done.returncode, "must be a list of objects" in done.stderr) == (2, True)


def test_a_command_that_needs_no_tools_does_not_load_the_sdk(tmp_path):
    import subprocess

    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "from opcode_core.cli.main import main\nmain()\n"
    )
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    for arguments in (["plugins", "list"], ["tools", "--help"], ["--help"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert {"mcp", "mcp_types", "httpx2", "opcode_mcp.link"}.isdisjoint(done.stderr.split()), arguments
