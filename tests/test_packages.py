"""Every subset of packages that the documents name works alone, in an empty environment."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).with_name("uv")

SUBSETS = {
    "the core alone": ["opcode_core"],
    "core and http": ["opcode_core", "opcode_http"],
    "as the README says": ["opcode_core", "opcode_http", "plugins/opcode_cel", "plugins/opcode_sql"],
    "an action of one's own": ["opcode_core", "examples/plugins/opcode-greet"],
}


@pytest.fixture
def install(tmp_path: Path):
    def install(packages: list[str]) -> Path:
        environment = tmp_path / "env"
        quiet = ["--quiet", "--no-progress"]
        subprocess.run([UV, "venv", *quiet, "--python", sys.executable, environment], check=True)
        python = environment / "bin" / "python"
        constraints = ["--constraint", ROOT / "constraints.txt"]
        where = [ROOT / package for package in packages]
        subprocess.run([UV, "pip", "install", *quiet, "--python", python, *constraints, *where], check=True)
        return environment / "bin" / "opcode"

    return install


def opcode(command: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run(
        [command, *arguments],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("subset", SUBSETS, ids=list(SUBSETS))
def test_a_subset_works_in_an_empty_environment(subset: str, install, tmp_path: Path):
    command = install(SUBSETS[subset])
    listed = json.loads(opcode(command, tmp_path, "plugins", "list", "--json").stdout)["plugins"]
    assert [plugin["state"] for plugin in listed] == ["active"] * (len(SUBSETS[subset]) - 1)


@pytest.mark.timeout(300)
def test_a_plugin_of_twelve_lines_adds_an_action_that_a_workflow_uses(install, tmp_path: Path):
    source = ROOT / "examples/plugins/opcode-greet/src/opcode_greet.py"
    assert len([line for line in source.read_text().splitlines() if line.strip()]) <= 12
    command = install(["opcode_core", "examples/plugins/opcode-greet"])
    steps = [{"id": "greet", "action": "greet.hello", "params": {"name": "Ada", "loud": True}}]
    (tmp_path / "w.json").write_text(json.dumps({"steps": steps}))
    done = opcode(command, tmp_path, "run", "w.json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"greet": {"text": "HELLO ADA"}}


@pytest.mark.timeout(300)
def test_http_actions_work_with_the_core_and_nothing_else(install, tmp_path: Path):
    sys.path.insert(0, str(ROOT / "examples/demo"))
    from service import shop

    command = install(["opcode_core", "opcode_http"])
    with shop() as address:
        steps = [{"id": "get", "action": "http.get", "params": {"url": f"{address}/catalogue"}}]
        (tmp_path / "w.json").write_text(
            json.dumps({"steps": steps, "output": {"lamp": "${{steps.get.body.lamp}}"}})
        )
        done = opcode(command, tmp_path, "run", "w.json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"lamp": "Desk lamp"}
    assert "not stored" in done.stderr or "memory" in done.stderr
