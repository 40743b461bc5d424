"""What the settings forbid is forbidden by every way in: `opcode run`, `opcode serve`, `opcode mcp`."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

OPCODE = str(Path(sys.executable).with_name("opcode"))
READY = 60.0
"""Seconds in which a loaded machine starts a server."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("work", "reference", "work/keys", ".opcode"):
        (tmp_path / name).mkdir()
    for name in ("work/a", "reference/a", "work/keys/secret", "outside"):
        (tmp_path / name).write_text(name)
    settings = {
        "writable_paths": [f"{tmp_path}/work"],
        "read_only_paths": ["~/reference"],
        "http_allow_private": False,
        "log_level": "error",
    }
    (tmp_path / ".opcode/settings.json").write_text(json.dumps(settings))
    return tmp_path


def environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "OPCODE_DENY_PATHS": f"{home}/work/keys"}


def definition(home: Path, port: int = 9) -> dict[str, Any]:
    """A step for each rule; what may not be done is ignored, so that all of them are tried."""
    tries = {
        "may_read": ("fs.read", {"path": f"{home}/reference/a"}),
        "may_write": ("fs.write", {"path": f"{home}/work/b", "content": "x"}),
        "read_only": ("fs.write", {"path": f"{home}/reference/a", "content": "x"}),
        "denied": ("fs.read", {"path": f"{home}/work/keys/secret"}),
        "outside": ("fs.read", {"path": f"{home}/outside"}),
        "own": ("fs.read", {"path": f"{home}/.opcode/settings.json"}),
        "process": ("fs.read", {"path": "/proc/self/environ"}),
        "private": ("http.get", {"url": f"http://127.0.0.1:{port}/healthz"}),
    }
    return {
        "steps": [
            {"id": name, "action": action, "params": params, "on_error": {"strategy": "ignore"}}
            for name, (action, params) in tries.items()
        ]
    }


def assert_held(home: Path, steps: dict[str, Any]) -> None:
    codes = {name: (step.get("error") or {}).get("code") for name, step in steps.items()}
    assert codes == {
        "may_read": None,
        "may_write": None,
        **dict.fromkeys(("read_only", "denied", "outside", "own", "process"), "PATH_DENIED"),
        "private": "PERMISSION_DENIED",
    }
    assert (home / "reference/a").read_text() == "reference/a"
    assert (home / "work/b").read_text() == "x"


@contextmanager
def serving(home: Path, **variables: str):
    """The URL of a server on a free port."""
    command = [OPCODE, "serve", "--listen", "127.0.0.1:0"]
    surroundings = environment(home) | variables
    with subprocess.Popen(command, env=surroundings, cwd=home, stderr=subprocess.PIPE, text=True) as server:
        try:
            said = []
            for line in server.stderr:
                said.append(line)
                if '"ready"' in line:
                    yield json.loads(line)["fields"]["url"]
                    break
            else:
                raise AssertionError("".join(said))
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=READY)


def post(url: str, tool: str, **arguments: Any) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{url}/api/v1/{tool}", json.dumps(arguments).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.loads(response.read())


def opcode(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    surroundings = environment(home) | variables
    return subprocess.run(
        [OPCODE, *arguments],
        env=surroundings,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run_by_itself(home: Path, *arguments: str, **variables: str) -> dict[str, Any]:
    (home / "w.json").write_text(json.dumps(definition(home)))
    done = opcode(home, "run", "w.json", "--json", *arguments, **variables)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)["steps"]


@pytest.mark.parametrize("arguments", [[], ["--no-store"]])
def test_opcode_run(home: Path, arguments: list[str]):
    assert_held(home, run_by_itself(home, *arguments))


def test_opcode_serve(home: Path):
    with serving(home) as url:
        post(url, "define", name="w", definition=definition(home), agent_id="a")
        assert_held(home, post(url, "run", template_name="w", agent_id="a")["steps"])


def test_opcode_mcp(home: Path):
    define = {"name": "w", "definition": definition(home), "agent_id": "a"}
    calls = [("opcode.define", define), ("opcode.run", {"template_name": "w", "agent_id": "a"})]
    with subprocess.Popen(
        [OPCODE, "mcp"],
        env=environment(home),
        cwd=home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:

        def ask(number: int, method: str, params: dict[str, Any]) -> dict[str, Any]:
            say({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
            for line in client.stdout:
                if (answer := json.loads(line)).get("id") == number:
                    return answer["result"]
            raise AssertionError("it ended without an answer")

        def say(message: dict[str, Any]) -> None:
            client.stdin.write(json.dumps(message) + "\n")
            client.stdin.flush()

        about = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        }
        ask(0, "initialize", about)
        say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        for number, (tool, arguments) in enumerate(calls, 1):
            result = ask(number, "tools/call", {"name": tool, "arguments": arguments})
            assert not result.get("isError"), result
        client.stdin.close()
        assert_held(home, result["structuredContent"]["steps"])


def test_the_own_port_of_a_server_beside(home: Path):
    """A command on another database does not know the server but by its file."""
    with serving(home, OPCODE_HTTP_ALLOW_PRIVATE="true") as url:
        port = url.rpartition(":")[2]
        get = {"id": "get", "action": "http.get", "params": {"url": f"http://127.0.0.1:{port}/healthz"}}
        (home / "w.json").write_text(json.dumps({"steps": [get]}))
        for name, command in {
            "beside": ["--db-path", f"{home}/other.db", "run", "w.json", "--json"],
            "in it": ["run", "w.json", "--json"],
        }.items():
            done = opcode(home, *command, OPCODE_HTTP_ALLOW_PRIVATE="true")
            error = json.loads(done.stdout)["error"]
            assert error["code"] == "PERMISSION_DENIED", (name, done.stdout, done.stderr)
            assert "this server's own port" in error["message"]


def test_a_rule_that_is_wrong_is_one_clear_line(home: Path):
    (home / "w.json").write_text(json.dumps(definition(home)))
    done = opcode(home, "run", "w.json", OPCODE_DENY_PATHS="keys")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "OPCODE_DENY_PATHS holds 'keys'; a path there begins with / or ~" in done.stderr


def test_install_keeps_the_rules(home: Path):
    assert opcode(home, "install", "--force").returncode == 0
    kept = json.loads((home / ".opcode/settings.json").read_text())
    assert kept["deny_paths"] == [f"{home}/work/keys"]
    assert kept["writable_paths"] == [f"{home}/work"]
    assert kept["http_allow_private"] is False
    assert_held(home, run_by_itself(home))
