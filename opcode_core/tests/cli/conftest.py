"""`opcode` in a subprocess, with a home of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
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
    return {**kept, "HOME": str(home), "PATH": os.environ["PATH"], "COLUMNS": "120"}


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
def workflow(home: Path) -> Callable[..., str]:
    """Write a workflow file and give its name."""

    def write(*steps: dict[str, Any], name: str = "w.json", **fields: Any) -> str:
        (home / name).write_text(json.dumps({"steps": steps, **fields}))
        return name

    return write


def hash_step(step_id: str = "h", **fields: Any) -> dict[str, Any]:
    return {"id": step_id, "action": "crypto.hash", "params": {"data": "abc"}, **fields}
