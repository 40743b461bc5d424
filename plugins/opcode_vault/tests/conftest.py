"""A vault in a real SQLite file, `opcode secret` in a subprocess, and the server's own test harness."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "opcode_server/tests"))

from serving import OPCODE, environment_of
from vault_workbench import File


@pytest.fixture
async def file(tmp_path):
    """One SQLite file, in which any number of vaults can be opened."""
    made = File(tmp_path / "opcode.db")
    yield made
    await made.close()


@pytest.fixture
def opcode(tmp_path):
    """`opcode` with a home of its own; variables are given by name."""

    def call(*arguments, stdin="", within=60, **variables):
        return subprocess.run(
            [OPCODE, *arguments],
            input=stdin if isinstance(stdin, bytes) else stdin.encode("utf-8", "surrogateescape"),
            env=environment_of(tmp_path, **variables),
            cwd=tmp_path,
            capture_output=True,
            check=False,
            timeout=within,
        )

    def texts(*arguments, **options):
        done = call(*arguments, **options)
        done.stdout, done.stderr = os.fsdecode(done.stdout), os.fsdecode(done.stderr)
        assert "Traceback" not in done.stderr
        return done

    return texts
