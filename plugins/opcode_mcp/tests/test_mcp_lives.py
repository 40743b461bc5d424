"""Servers that do not start, hang, crash, flood and do not want to end; and what becomes of their processes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise

import pytest
from toolhouse import HERE, beside, eventually, gone, housed, is_alive, pids_in

NAUGHTY = str(HERE / "naughty.py")


@pytest.mark.parametrize(
    ("arguments", "more", "words"),
    [
        (["--mode", "crash"], {}, "it ended with exit code 3: no licence"),
        (["--mode", "hang"], {"startup": "500ms"}, "it did not get ready within 0.5 s"),
        (["--mode", "garbage"], {}, "it writes what are no MCP messages on its standard output"),
        (["--mode", "endless"], {}, "it sent a message of more than 8,388,608 bytes"),
        ([], {"command": "no-such-program"}, "there is no command 'no-such-program' that can be executed"),
        ([], {"command": "/etc/passwd"}, "there is no command '/etc/passwd' that can be executed"),
        (
            [],
            {"command": sys.executable, "cwd": "/no/such/folder"},
            "its folder /no/such/folder is not there",
        ),
        ([], {"command": sys.executable, "args": ["-c", "1"]}, "it ended with exit code 0"),
        ([], {"url": "http://127.0.0.1:9/mcp"}, "it cannot be reached"),
        ([], {"url": "http://127.0.0.1:9/sse"}, "it cannot be reached"),
    ],
)
async def test_a_server_that_does_not_start_is_down_and_says_why(house, arguments, more, words):
    await house.add("bad", *arguments, **more)
    await house.until("bad", "error", words)
    error = await house.error("bad.anything")
    assert error["code"] == "ACTION_UNAVAILABLE", error
    assert "the tool server 'bad' is down: " in error["message"]


async def test_it_is_started_again_ever_later(house, monkeypatch):
    starts: list[float] = []
    link_of = house.link

    async def live(self) -> str:
        starts.append(time.monotonic())
        return "no"

    monkeypatch.setattr("opcode_mcp.link.Link._live", live)
    monkeypatch.setattr("opcode_mcp.link.LONGEST", 0.2)
    await house.add("bad", "--mode", "crash")
    await eventually(lambda: len(starts) > 5, lambda: starts)
    pauses = [b - a for a, b in pairwise(starts)]
    assert 0.02 <= pauses[0] <= 0.1
    assert 0.09 <= pauses[3] <= 0.4
    assert link_of("bad").condition.health == "error"


async def test_a_run_waits_for_a_server_that_is_starting(house):
    await house.add("t")
    assert house.link("t").condition.health == "inactive"
    assert await house.output("t.echo", {"text": "x"}) == {"text": "x"}


async def test_a_run_goes_on_when_its_server_is_back(house, tmp_path):
    note = tmp_path / "note"
    await house.add("t", "--note", str(note))
    await house.until("t", "active")
    os.kill(pids_in(note)[0], signal.SIGKILL)
    await house.until("t", "error", "it ended with exit code 137")
    assert await house.output("t.echo", {"text": "x"}, retry={"max": 5, "delay": "300ms"}) == {"text": "x"}
    assert len(pids_in(note)) == 2


async def test_a_server_that_hangs_is_found_and_started_again(house, tmp_path, monkeypatch):
    monkeypatch.setattr("opcode_mcp.connection.LOOK", 0.3)
    note = tmp_path / "note"
    await house.add("t", "--note", str(note))
    await house.until("t", "active")
    error = await house.error("t.hang", timeout="300ms")
    assert error["code"] == "TIMEOUT_ERROR"
    await eventually(lambda: len(pids_in(note)) == 2, note.read_text)
    await house.until("t", "active")
    first, _ = pids_in(note)
    await gone(first)
    assert await house.output("t.echo", {"text": "x"}) == {"text": "x"}


@pytest.mark.parametrize("mode", ["good", "stubborn"])
async def test_nothing_is_left_when_the_engine_stops(tmp_path, mode):
    note = tmp_path / "note"
    async with housed() as house:
        await house.add("t", "--mode", mode, "--note", str(note))
        await house.until("t", "active")
        orphan = int((await house.output("t.child"))["text"])
        guard = house.link("t").pid
        (pid,) = pids_in(note)
        assert all(map(is_alive, (pid, orphan, guard)))
        began = time.monotonic()
    assert time.monotonic() - began < 5
    await gone(pid, orphan, guard)


OWNER = """
import asyncio, sys
sys.path.insert(0, {here!r})
from toolhouse import housed
async def main():
    async with housed() as house:
        await house.add("t", "--mode", "stubborn", "--note", {note!r})
        await house.until("t", "active")
        child = await house.output("t.child")
        print(house.link("t").pid, child["text"], flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.mark.parametrize("victim", ["opcode", "guard"])
async def test_children_die_with_us_also_by_sigkill(tmp_path, victim):
    note = tmp_path / "note"
    code = OWNER.format(here=str(HERE), note=str(note))
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        line = await asyncio.wait_for(asyncio.to_thread(owner.stdout.readline), 60)
        guard, child = map(int, line.split())
        (pid,) = pids_in(note)
        os.kill(owner.pid if victim == "opcode" else guard, signal.SIGKILL)
        await gone(pid, guard)
        if victim == "opcode":
            await gone(child)  # without the guard, whoever hides in a session of its own stays
        else:
            os.kill(child, signal.SIGKILL)
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close()


async def test_what_a_server_says_on_standard_error_is_in_our_log_in_measure(house, caplog):
    caplog.set_level("INFO", "opcode.tools")
    await house.add("t")
    await house.until("t", "active")
    await house.output("t.say", {"text": "\x1b[31mred" + "y" * 3000})
    await eventually(lambda: "t says: \N{REPLACEMENT CHARACTER}[31mred" in caplog.text, lambda: caplog.text)
    assert max(len(record.getMessage()) for record in caplog.records) < 600
    await house.output("t.say", {"text": "\n".join(f"line {i}" for i in range(5000))})
    await house.output("t.echo", {"text": "x"})
    await asyncio.sleep(0.2)
    assert len([record for record in caplog.records if "says" in record.getMessage()]) < 300


async def test_a_server_sees_little_of_our_environment(house, monkeypatch):
    monkeypatch.setenv("OPCODE_VAULT_KEY", "nobody's business")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nobody's business")
    await house.add("t", env={"COLOUR": "blue"})
    seen = (await house.output("t.env"))["env"]
    allowed = {
        "HOME",
        "LOGNAME",
        "PATH",
        "SHELL",
        "TERM",
        "USER",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "TZ",
        "TMPDIR",
        "COLOUR",
    }
    assert set(seen) <= allowed
    assert seen["COLOUR"] == "blue"
    assert "PATH" in seen


SECRET = "s3cret-value"


@pytest.fixture
def vault_key(monkeypatch):
    monkeypatch.setenv("OPCODE_VAULT_KEY", "a passphrase for this test")
    monkeypatch.setattr("opcode_vault.vault.ITERATIONS", 1000)


async def test_a_secret_reaches_its_server_and_nothing_else(house, vault_key, caplog):
    caplog.set_level("DEBUG")
    await house.add("t", "--mode", "secretive", env={"TOKEN": "${{secrets.KEY}}"})
    await house.until("t", "error", "there is no secret 'KEY'")
    await house.engine.vault.set("KEY", SECRET)
    await house.until("t", "active")
    output = (await house.output("t.env"))["env"]
    assert output["TOKEN"] == "***"
    assert await house.output("t.say", {"text": f"it is {SECRET}"}) == {"text": "said it is ***"}
    await eventually(lambda: "t says: it is ***" in caplog.text, lambda: caplog.text)
    stored = [
        str(item.value)
        for shelf in ("tools.servers", "tools.pins", "tools.states")
        for item in (await house.storage.items(shelf)).items
    ]
    assert "${{secrets.KEY}}" in str(stored)
    assert SECRET not in str(stored)
    assert SECRET not in caplog.text


async def test_a_secret_in_a_header(house, vault_key):
    with beside(NAUGHTY, "--http", "--mode", "secretive") as (port, _):
        await house.engine.vault.set("KEY", SECRET)
        await house.add("no", url=f"http://127.0.0.1:{port}/mcp")
        await house.until("no", "error")
        url = f"http://127.0.0.1:{port}/mcp"
        await house.add("yes", url=url, headers={"Authorization": "Bearer ${{secrets.KEY}}"})
        assert await house.output("yes.echo", {"text": SECRET}) == {"text": "***"}


async def test_without_a_vault_key_a_server_that_needs_a_secret_is_down(house, monkeypatch):
    monkeypatch.delenv("OPCODE_VAULT_KEY", raising=False)
    await house.add("t", env={"TOKEN": "${{secrets.KEY}}"})
    await house.until("t", "error", "KEY")
