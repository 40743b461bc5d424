"""Every test of tool servers is quick about starting and ending them."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "opcode_server/tests"))

from toolhouse import housed


@pytest.fixture(autouse=True)
def _quick(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("opcode_mcp.link.FIRST", 0.05)
    monkeypatch.setattr("opcode_mcp.process.GENTLY", 0.4)
    monkeypatch.setattr("opcode_mcp.process.TOLD", 0.3)


@pytest.fixture
async def house():
    async with housed() as made:
        yield made
