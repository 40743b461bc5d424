"""A server with the passphrase, without it, with a wrong one; and the panel's page of secrets."""

import http.client
import json
import os
import re
import subprocess
import urllib.parse
from pathlib import Path

import pytest
from serving import OPCODE, environment_of, serving

KEY = "correct horse battery"
VALUE = 'canary-77aa-<b>&"value"'
USE = {
    "steps": [
        {"id": "a", "action": "workflow.log", "params": {"message": "with ${{secrets.TOKEN}}"}},
        {"id": "b", "action": "crypto.hash", "params": {"data": "${{secrets.TOKEN}}"}, "depends_on": ["a"]},
    ]
}


def execute(server, definition=USE, **more):
    status, answer = server.ask("/api/v1/execute", {"definition": definition, "name": "use", **more})
    assert status == 200, answer
    return answer


def warnings(server):
    lines = [json.loads(line) for line in server.log if line.startswith("{")]
    return [line["message"] for line in lines if line["logger"] == "opcode.vault"]


def set_by_command(server, name="TOKEN", value=VALUE):
    done = server.opcode("secret", "set", name, input=value)
    assert done.returncode == 0, done.stderr


def test_with_the_passphrase_a_secret_set_by_the_command_is_used_at_once(tmp_path):
    with serving(tmp_path, OPCODE_VAULT_KEY=KEY) as server:
        assert execute(server)["error"]["code"] == "NOT_FOUND"
        set_by_command(server)
        ran = execute(server)
        assert ran["status"] == "completed", ran
        assert warnings(server) == []
        assert server.opcode("secret", "delete", "TOKEN").returncode == 0
        assert execute(server)["error"]["code"] == "NOT_FOUND"
    assert VALUE not in "".join(server.log)
    assert any("with ***" in line for line in server.log)


def test_without_the_passphrase_there_is_a_warning_and_the_step_fails(tmp_path):
    with serving(tmp_path) as server:
        (warning,) = warnings(server)
        assert warning == (
            "OPCODE_VAULT_KEY is not set: steps that read ${{secrets.NAME}} fail;"
            " set it to the passphrase of the vault"
        )
        error = execute(server)["error"]
        assert (error["code"], error["step_id"]) == ("VAULT_ERROR", "a")
        assert "OPCODE_VAULT_KEY is not set; set it to" in error["message"]
        done = subprocess.run(
            [OPCODE, "secret", "set", "TOKEN"],
            env={**server.environment, "OPCODE_VAULT_KEY": KEY},
            input=VALUE,
            text=True,
            check=False,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        assert execute(server)["error"]["code"] == "VAULT_ERROR"
    with serving(tmp_path) as server:
        assert "; 1 secret stored; set it" in warnings(server)[0]


def test_with_a_wrong_passphrase_it_does_not_start(tmp_path):
    with serving(tmp_path, OPCODE_VAULT_KEY=KEY) as server:
        set_by_command(server)
    refused = subprocess.run(
        [OPCODE, "serve", "--listen", "127.0.0.1:0"],
        env=environment_of(tmp_path, OPCODE_VAULT_KEY="wrong"),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert refused.returncode == 1
    assert refused.stderr == (
        "opcode: VAULT_ERROR: the vault cannot be opened: the passphrase in OPCODE_VAULT_KEY is not that of the vault,"
        " or no longer; set the one that it was made or last rotated with, or none, to start without secrets\n"
    )


def test_a_rotation_beside_a_running_server(tmp_path):
    """It goes on, its steps say what is wrong, and after a restart with the new passphrase all is well."""
    new = "another long passphrase"
    with serving(tmp_path, OPCODE_VAULT_KEY=KEY) as server:
        set_by_command(server)
        assert execute(server)["status"] == "completed"
        done = subprocess.run(
            [OPCODE, "secret", "rotate"],
            env={**server.environment, "OPCODE_VAULT_NEW_KEY": new},
            check=False,
            capture_output=True,
        )
        assert done.returncode == 0
        error = execute(server)["error"]
        assert error["code"] == "VAULT_ERROR"
        assert "or no longer; set the one that it was made or last rotated with" in error["message"]
        assert server.ask("/healthz")[0] == 200
    with serving(tmp_path, OPCODE_VAULT_KEY=new) as server:
        assert execute(server)["status"] == "completed"


# ---- where the passphrase is not


def reading(path):
    return {"steps": [{"id": "a", "action": "fs.read", "params": {"path": path}}]}


def running(script):
    params = {"command": script, "shell": True}
    return {"steps": [{"id": "a", "action": "shell.exec", "params": params}]}


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no /proc")
def test_nobody_finds_the_passphrase_in_an_environment(tmp_path):
    """Neither an action, whatever it may read, nor another program of the same user."""
    with serving(tmp_path, OPCODE_VAULT_KEY=KEY, OTHER="still-here") as server:
        set_by_command(server)
        block = Path(f"/proc/{server.process.pid}/environ").read_bytes()
        assert b"OTHER=still-here" in block
        assert KEY.encode() not in block
        inherited = execute(server, running("env"))
        assert "still-here" in json.dumps(inherited)
        for answer in (
            inherited,
            execute(server, running("cat /proc/self/environ /proc/$PPID/environ")),
            execute(server, reading("/proc/self/environ")),
            execute(server, reading(f"/proc/{server.process.pid}/environ")),
        ):
            assert KEY not in json.dumps(answer)
        assert execute(server)["status"] == "completed"
    for path in (tmp_path / ".opcode").rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes()


def test_taking_a_variable(tmp_path):
    """In a process of its own: before, it is there; afterwards it is gone, and its neighbours are as they were."""
    script = (
        "import os, subprocess; from pathlib import Path; from opcode_core.environment import take;"
        "environ = Path('/proc/self/environ'); before = environ.read_bytes() if environ.exists() else b'';"
        "assert take('NONE') is None; assert take('EMPTY') == ''; assert take('MINE') == os.environ['SAME'];"
        "assert 'MINE' not in os.environ; assert take('MINE') is None;"
        "after = environ.read_bytes() if environ.exists() else b'';"
        "value = os.fsencode(os.environ['SAME']);"
        "assert after == before.replace(b'\\0MINE=' + value, b'\\0MINE=' + bytes(len(value))), (before, after);"
        "assert subprocess.check_output(['env']).count(value) == 2;"
        "os.environ['MINE'] = 'again'; assert take('MINE') == 'again'"
    )
    value = b"a=b\xff \xc3\xbc"
    done = subprocess.run(
        [os.path.dirname(OPCODE) + "/python", "-c", script],
        env={b"A": b"1", b"MINE": value, b"MINERAL": b"x", b"SAME": value, b"EMPTY": b"", b"XMINE": value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# ---- the panel


class Page:
    """The page as a browser without JavaScript has it."""

    def __init__(self, server):
        self.server = server

    def ask(self, method, form=None, path="/secrets"):
        wire = http.client.HTTPConnection(self.server.url.removeprefix("http://"), timeout=30)
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
        body = None if form is None else urllib.parse.urlencode(form)
        wire.request(method, path, body, {"Accept": "text/html", **kind})
        response = wire.getresponse()
        text = response.read().decode()
        wire.close()
        return response.status, text

    def names(self):
        status, text = self.ask("GET")
        assert status == 200
        return re.findall(r'name="name" value="([^"]*)"', text)


def test_the_panel_sets_and_deletes_and_shows_names_only(tmp_path):
    with serving(tmp_path, OPCODE_VAULT_KEY=KEY) as server:
        page = Page(server)
        assert page.names() == []
        assert "${{secrets.NAME}}" in page.ask("GET")[1]
        assert page.ask("POST", {"name": "TOKEN", "value": VALUE})[0] == 303
        assert page.ask("POST", {"name": "OTHER", "value": "x-other-value"})[0] == 303
        assert page.names() == ["OTHER", "TOKEN"]
        _, text = page.ask("GET")
        assert "canary" not in text
        assert "x-other-value" not in text
        assert execute(server)["status"] == "completed"
        assert "TOKEN" in server.opcode("secret", "list").stdout
        assert page.ask("POST", {"name": "OTHER"}, "/secrets/-/delete")[0] == 303
        assert page.names() == ["TOKEN"]
        status, text = page.ask("POST", {"name": "a b<i>", "value": VALUE})
        assert (status, "is not a secret&#39;s name" in text) == (422, True)
        assert "canary" not in text
        assert "<i>" not in text
        status, text = page.ask("POST", {"name": "EMPTY", "value": ""})
        assert (status, "a secret cannot be empty" in text) == (422, True)
        _, audit = server.ask("/api/v1/audit")
        noted = [(entry["action"], entry["about"]) for entry in audit["entries"]]
        assert [entry for entry in noted if entry[0].startswith("secret.")] == [
            ("secret.delete", "OTHER"),
            ("secret.set", "OTHER"),
            ("secret.set", "TOKEN"),
        ]
        assert "canary" not in json.dumps(audit)
    assert "canary" not in "".join(server.log)


def test_the_panel_without_the_passphrase(tmp_path):
    with serving(tmp_path) as server:
        page = Page(server)
        assert page.names() == []
        status, text = page.ask("POST", {"name": "TOKEN", "value": VALUE})
        assert status >= 400
        assert "OPCODE_VAULT_KEY is not set" in text
        assert "canary" not in text
        assert page.names() == []
