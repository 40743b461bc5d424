"""OPCODE's own files are out of a command's sight, where that is possible without changing anything else."""

from pathlib import Path

import pytest

from opcode_cgroups.isolator import CgroupIsolator
from opcode_core import PathPolicy
from opcode_shell.execute import execute
from opcode_testkit.actions import call

ISOLATOR = CgroupIsolator()
SCRIPT = "cat .opcode/key runs.db; ls .opcode; echo new > new && cat new mine"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".opcode").mkdir()
    (tmp_path / ".opcode" / "key").write_text("the key of the server")
    (tmp_path / "runs.db").write_text("what runs remember")
    (tmp_path / "mine").write_text("mine")
    return tmp_path


async def told(home: Path, **rules: tuple[Path, ...]) -> str:
    probe = ISOLATOR.probe()
    if "deny_paths" not in (probe.keeps or ()):
        pytest.skip(f"no namespaces here: {probe.layers}")
    paths = PathPolicy(own=(home / ".opcode", home / "runs.db", home / "not there"), **rules)
    params = {"command": SCRIPT, "shell": True, "cwd": str(home)}
    return (await call(execute, params, isolator=ISOLATOR, paths=paths))["stdout_raw"]


async def test_a_command_does_not_see_them_and_misses_nothing_else(home):
    assert await told(home) == "new\nmine"
    assert (home / ".opcode" / "key").read_text() == "the key of the server"


async def test_a_rule_that_names_one_opens_it(home):
    seen = await told(home, writable=(home, home / ".opcode"))
    assert "the key of the server" in seen
    assert "what runs remember" not in seen
