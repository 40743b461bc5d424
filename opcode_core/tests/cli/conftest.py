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
from collections.abc import Callable
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


def hash_step(step_id: str = "h", **fields: Any) -> dict[str, Any]:
    return {"id": step_id, "action": "crypto.hash", "params": {"data": "abc"}, **fields}
