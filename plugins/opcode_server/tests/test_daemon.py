"""The daemon: how it starts, what it says when it cannot, how it ends."""

import json
import os
import signal
import socket
import subprocess
import time

import pytest
from serving import HELLO, OPCODE, SLOW, environment_of, serving


def serve(home, *arguments, **variables):
    return subprocess.run(
        [OPCODE, *arguments],
        env=environment_of(home, **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_a_port_in_use(tmp_path, server):
    address = server.url.removeprefix("http://")
    refused = serve(tmp_path, "serve", "--listen", address)
    assert refused.returncode == 2
    assert f"cannot listen on {address}: port {address.rpartition(':')[2]} is in use" in refused.stderr


def test_an_open_address_needs_a_token(tmp_path):
    refused = serve(tmp_path, "serve", "--listen", "0.0.0.0:0")
    assert refused.returncode == 2
    assert "OPCODE_TOKEN" in refused.stderr


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OPCODE_LISTEN_ADDR", "4100"),
        ("OPCODE_PANEL", "maybe"),
        ("OPCODE_BASE_URL", "opcode"),
        ("OPCODE_TOKEN", "a b"),
    ],
)
def test_a_wrong_setting(tmp_path, variable, value):
    refused = serve(tmp_path, "serve", **{variable: value})
    assert refused.returncode == 2
    assert variable in refused.stderr
    assert len(refused.stderr.splitlines()) <= 3


def test_a_database_that_is_none(tmp_path):
    (tmp_path / "x.db").write_bytes(b"no database" * 100)
    refused = serve(tmp_path, "--db-path", str(tmp_path / "x.db"), "serve", "--listen", "127.0.0.1:0")
    assert refused.returncode == 1
    assert "is not a SQLite database" in refused.stderr


def test_a_locked_database(tmp_path):
    import sqlite3

    with serving(tmp_path):
        pass
    db = sqlite3.connect(tmp_path / ".opcode/opcode.db", isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    refused = serve(tmp_path, "serve", "--listen", "127.0.0.1:0")
    db.close()
    assert refused.returncode == 1
    assert "another process holds its lock" in refused.stderr


def test_it_writes_its_pid_and_takes_it_away(tmp_path):
    with serving(tmp_path) as server:
        assert int((tmp_path / ".opcode/opcode.pid").read_text()) == server.process.pid
        (found,) = (tmp_path / ".opcode/servers").iterdir()
        assert found.stat().st_mode & 0o077 == 0
        assert json.loads(found.read_text())["url"] == server.url
        assert server.stop() == 0
        assert not found.exists()
        assert not (tmp_path / ".opcode/opcode.pid").exists()


def test_sighup_takes_on_what_it_can_and_names_the_rest(own_server):
    (own_server.home / ".opcode/settings.json").write_text('{"log_level": "debug", "pool_size": 3}')
    own_server.process.send_signal(signal.SIGHUP)
    line = until_logged(own_server, "settings reloaded")
    assert "log_level is debug" in line
    assert "a restart is needed for pool_size" in line
    assert own_server.ask("/plugins")[0] == 200
    (own_server.home / ".opcode/settings.json").write_text('{"log_level": "loud"}')
    own_server.process.send_signal(signal.SIGHUP)
    assert "log_level" in until_logged(own_server, "kept as they are")
    assert own_server.ask("/healthz")[0] == 200
    (own_server.home / ".opcode/settings.json").write_text('{"panel": false}')
    own_server.process.send_signal(signal.SIGHUP)
    until_logged(own_server, "panel is false")
    assert own_server.ask("/plugins")[0] == 404


def until_logged(server, words, within=10.0):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        for line in server.log:
            if words in line:
                return line
        time.sleep(0.02)
    raise AssertionError("".join(server.log))


def test_sigterm_lets_steps_in_flight_end(tmp_path):
    with serving(tmp_path) as server:
        server.ask("/api/v1/define", {"name": "slow", "definition": SLOW, "agent_id": "a"})
        call = {"template_name": "slow", "agent_id": "a", "params": {"seconds": 2}, "wait": False}
        _, ran = server.ask("/api/v1/run", call)
        until_running(server, ran)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 8
    with serving(tmp_path) as server:
        ended = until_ended(server, ran)
        assert ended["status"] == "completed"
        assert ended["steps"]["sleep"].get("attempts", 1) == 1


def test_kill_9_during_a_call(tmp_path):
    with serving(tmp_path) as server:
        server.ask("/api/v1/define", {"name": "slow", "definition": SLOW, "agent_id": "a"})
        call = {"template_name": "slow", "agent_id": "a", "params": {"seconds": 1}, "wait": False}
        _, ran = server.ask("/api/v1/run", call)
        until_running(server, ran)
        server.process.kill()
        server.process.wait()
    with serving(tmp_path) as server:
        ended = until_ended(server, ran)
    assert ended["status"] == "completed"


def until_running(server, ran):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        _, stands = server.ask("/api/v1/status", {"workflow_id": ran["workflow_id"], "events": False})
        if stands["steps"]["sleep"]["status"] == "running":
            return
    raise AssertionError(stands)


def until_ended(server, ran):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        _, stands = server.ask("/api/v1/status", {"workflow_id": ran["workflow_id"], "events": False})
        if stands["completed_at"]:
            return stands
        time.sleep(0.05)
    raise AssertionError(stands)


def test_install_writes_settings_without_secrets(tmp_path):
    done = serve(tmp_path, "install", "--listen", "127.0.0.1:4199", OPCODE_TOKEN="hidden-hidden-hidden")
    assert done.returncode == 0
    settings = tmp_path / ".opcode/settings.json"
    assert json.loads(settings.read_text())["listen_addr"] == "127.0.0.1:4199"
    assert "hidden" not in settings.read_text() + done.stdout
    assert "http://127.0.0.1:4199/mcp" in done.stdout
    again = serve(tmp_path, "install")
    assert again.returncode == 2
    assert "--force" in again.stderr
    given = {
        "OPCODE_BREAKERS": '{"http.get": {"failures": 20}, "shell.exec": false}',
        "OPCODE_RETENTION": "30d",
    }
    assert serve(tmp_path, "install", "--force", **given).returncode == 0
    first = settings.read_text()
    assert json.loads(first)["breakers"]["http.get"] == {"failures": 20, "pause": 30.0}
    assert serve(tmp_path, "install", "--force").returncode == 0
    assert settings.read_text() == first, "what was set is read back"


def test_commands_let_the_server_do_the_work(own_server):
    workflow = own_server.home / "hello.json"
    workflow.write_text(json.dumps(HELLO))
    ran = own_server.opcode("run", "hello.json", "-p", "name=Ada", "--json")
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert answer["output"]["name"] == "Ada"
    entries = own_server.ask("/api/v1/audit")[1]["entries"]
    assert ("execute", answer["workflow_id"]) in [(entry["action"], entry["about"]) for entry in entries]


def test_a_run_outlives_the_command_that_began_it(own_server):
    workflow = own_server.home / "slow.json"
    workflow.write_text(json.dumps(SLOW))
    command = subprocess.Popen(
        [OPCODE, "run", "slow.json", "-p", "seconds=2"],
        env=own_server.environment,
        cwd=own_server.home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    rows = []
    while not rows and time.monotonic() < deadline:
        rows = own_server.ask("/api/v1/query", {"resource": "workflows"})[1]["workflows"]
    command.kill()
    command.wait()
    assert until_ended(own_server, rows[0])["status"] == "completed"


def test_a_signal_goes_through_the_server(own_server):
    from serving import ASK

    (own_server.home / "ask.json").write_text(json.dumps(ASK))
    ran = own_server.opcode("run", "ask.json", "--json")
    assert ran.returncode == 3, ran.stderr
    run_id = json.loads(ran.stdout)["workflow_id"]
    said = own_server.opcode("signal", run_id, "decision", "--choice", "yes", "--json")
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["output"] == {"choice": "yes"}


def test_bare_opcode_serves(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused = serve(tmp_path, OPCODE_LISTEN_ADDR=address)
    assert (refused.returncode, "is in use" in refused.stderr) == (2, True)


def test_idle_it_hardly_uses_the_processor(own_server):
    def seconds():
        with open(f"/proc/{own_server.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = seconds()
    time.sleep(3)
    assert seconds() - before < 0.3
