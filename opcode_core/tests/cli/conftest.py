"""`opcode` in a subprocess, with a home of its own."""

import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pytest

OPCODE = str(Path(sys.executable).with_name("opcode"))
Opcode = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """Coverage of subprocesses is taken where it is taken of the tests."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("COV")}
    return {**kept, "HOME": str(home), "PATH": os.environ["PATH"]}


@pytest.fixture
def opcode(home: Path, environment: dict[str, str]) -> Opcode:
    def call(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [OPCODE, *arguments],
            input=stdin,
            env={**environment, **variables},
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return call


@pytest.fixture
def terminal(home: Path, environment: dict[str, str]) -> Callable[..., tuple[int, str]]:
    """`opcode` on a terminal of 100 columns: its exit code, and all that it ever wrote there, colours included."""

    def call(*arguments: str, **variables: str) -> tuple[int, str]:
        main, side = pty.openpty()
        ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        variables = {**environment, "TERM": "xterm-256color", **variables}
        running = subprocess.Popen(
            [OPCODE, *arguments], cwd=home, env=variables, stdin=side, stdout=side, stderr=side
        )
        os.close(side)
        shown = b""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                part = os.read(main, 65536)
            except OSError:  # the other side is closed
                break
            if not part:
                break
            shown += part
        os.close(main)
        return running.wait(timeout=10), shown.decode().replace("\r\n", "\n")

    return call


@pytest.fixture
def begin(home: Path, environment: dict[str, str]) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start `opcode`, and come back as soon as a line of its standard error holds `until`."""
    begun: list[subprocess.Popen[str]] = []

    def start(*arguments: str, until: str, **variables: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [OPCODE, *arguments],
            env={**environment, **variables},
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        assert process.stderr is not None
        seen = []
        for line in process.stderr:
            seen.append(line)
            if until in line:
                return process
        raise AssertionError(f"{until!r} is not in {''.join(seen)!r}")

    yield start
    for process in begun:
        process.kill()
        process.communicate()


@pytest.fixture
def runs(opcode: Opcode) -> Callable[..., list[dict[str, Any]]]:
    """The runs that are stored, newest first."""

    def ask(*options: str) -> list[dict[str, Any]]:
        answer = json.loads(opcode("query", "workflows", *options, "--json").stdout)
        return list(answer["workflows"])

    return ask


LAB = """
import asyncio
from pathlib import Path
from opcode_core import ActionContext, ErrorCode, OpcodeError, action, hookimpl

@action("lab.gate", effect="external")
async def gate(ctx: ActionContext, name: str) -> dict:
    "Notes that it was called, and ends once there is a file of that name."
    with open(f"{name}.calls", "a") as calls:
        calls.write(ctx.idempotency_key + chr(10))
    while not Path(name).exists():
        await asyncio.sleep(0.02)
    return {"name": name}

@action("lab.need", effect="external")
async def need(name: str) -> dict:
    "Fails unless there is a file of that name."
    if not Path(name).exists():
        raise OpcodeError(ErrorCode.NON_RETRYABLE, f"there is no {name}")
    return {"name": name}

@action("lab.deaf", effect="external")
async def deaf() -> dict:
    "Goes on when it is cancelled."
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

@hookimpl
def opcode_actions():
    return [gate, need, deaf]
"""


@pytest.fixture
def lab(install: Callable[..., dict[str, str]], environment: dict[str, str]) -> None:
    """Actions that do what a test wants, for every `opcode` of it."""
    environment.update(install("lab", LAB))


def plain(shown: str) -> str:
    """What a terminal was sent, without colours and moves of the cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)


@pytest.fixture
def workflow(home: Path) -> Callable[..., str]:
    """Write a workflow file and give its name."""

    def write(*steps: dict[str, Any], name: str = "w.json", **fields: Any) -> str:
        (home / name).write_text(json.dumps({"steps": steps, **fields}))
        return name

    return write


@pytest.fixture
def install(home: Path) -> Callable[..., dict[str, str]]:
    """Install a plugin made of one module, and give the variables with which `opcode` finds it."""
    site = home / "site"

    def put(name: str, code: str) -> dict[str, str]:
        about = site / f"opcode_{name}-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: opcode-{name}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[opcode.plugins]\n{name} = opcode_{name}\n")
        (site / f"opcode_{name}.py").write_text(code)
        return {"PYTHONPATH": str(site)}

    return put


def gate(name: str, **fields: Any) -> dict[str, Any]:
    """A step that ends once there is a file of its name."""
    return {"id": name, "action": "lab.gate", "params": {"name": name}, **fields}


def wait(step_id: str, **config: Any) -> dict[str, Any]:
    """A step that waits for a time or a signal."""
    return {"id": step_id, "type": "wait", "config": config}


def ask(step_id: str, *options: str, after: str = "", **config: Any) -> dict[str, Any]:
    """A step that asks for a decision."""
    choices = [{"id": option, "description": f"to {option}"} for option in options]
    config = {"prompt_context": f"what about {step_id}?", "options": choices, **config}
    return {"id": step_id, "type": "reasoning", "depends_on": after.split(), "config": config}


def hash_step(step_id: str = "h", **fields: Any) -> dict[str, Any]:
    return {"id": step_id, "action": "crypto.hash", "params": {"data": "abc"}, **fields}
