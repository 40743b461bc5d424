"""`opcode plugins new` writes packages that are installed, tested, checked and found as they are."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from opcode_core.cli.skeleton import KINDS

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def run(*command: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}  # installers find certificates and their cache by it
    return subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


def passed(*command: object, cwd: Path, **variables: str) -> str:
    done = run(*command, cwd=cwd, **variables)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with a package of every kind, and an environment in which all of them are installed."""
    folder = tmp_path_factory.mktemp("made")
    for kind in KINDS:
        name = f"my-{kind}" if len(kind) % 2 else f"a-rather-long-name-for-one-{kind}"
        passed(BIN / "opcode", "plugins", "new", name, "--kind", kind, "--folder", folder, cwd=folder)
    environment = folder / "env"
    passed(BIN / "uv", "venv", "--quiet", "--python", sys.executable, environment, cwd=folder)
    local = [ROOT / "opcode_core", ROOT / "plugins/opcode_testkit"]
    install = [BIN / "uv", "pip", "install", "--quiet", "--python", environment / "bin/python"]
    constraints = ["--constraint", ROOT / "constraints.txt"]
    editable = [part for package in sorted(folder.glob("opcode-*")) for part in ("--editable", package)]
    passed(*install, *constraints, *local, *editable, cwd=folder)
    return folder, environment


def package(made: tuple[Path, Path], kind: str) -> Path:
    [found] = made[0].glob(f"opcode-*-{kind}")
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
def test_its_tests_pass_at_once(made: tuple[Path, Path], kind: str):
    said = passed(
        made[1] / "bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=package(made, kind)
    )
    assert " passed" in said
    assert "skipped" not in said


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_in_good_style(made: tuple[Path, Path], kind: str):
    passed(BIN / "ruff", "check", "--no-cache", ".", cwd=package(made, kind))
    passed(BIN / "ruff", "format", "--check", "--no-cache", ".", cwd=package(made, kind))


@pytest.mark.timeout(300)
def test_its_types_are_right(made: tuple[Path, Path]):
    folder, environment = made
    cache = folder / "types"
    for kind in KINDS:
        command = [
            BIN / "mypy",
            "--strict",
            "--python-executable",
            environment / "bin/python",
            "--cache-dir",
            cache,
        ]
        passed(*command, "src", "tests", cwd=package(made, kind))


@pytest.mark.timeout(300)
def test_all_of_them_are_found_beside_each_other(made: tuple[Path, Path], tmp_path: Path):
    listed = json.loads(
        passed(made[1] / "bin/opcode", "plugins", "list", "--json", cwd=tmp_path, HOME=str(tmp_path))
    )
    assert len(listed["plugins"]) == len(KINDS)
    assert {plugin["state"] for plugin in listed["plugins"]} == {"active"}
    assert listed["collisions"] == []


@pytest.mark.timeout(300)
def test_what_it_adds_is_used_by_a_workflow(made: tuple[Path, Path], tmp_path: Path):
    [action] = made[0].glob("opcode-*-action/src/opcode_*")
    name = action.name.removeprefix("opcode_")
    steps = [{"id": "greet", "action": f"{name}.hello", "params": {"name": "Ada"}}]
    (tmp_path / "w.json").write_text(json.dumps({"steps": steps}))
    said = passed(made[1] / "bin/opcode", "run", "w.json", cwd=tmp_path, HOME=str(tmp_path))
    assert json.loads(said) == {"greet": {"text": "hello Ada"}}


@pytest.mark.parametrize(
    "name", ["", "-x", "1st", "a b", "../x", "a/b", "ä", "a" * 60, "opcode-", "x--y", "a.b"]
)
def test_a_name_that_no_package_can_have_is_refused(tmp_path: Path, name: str):
    done = run(BIN / "opcode", "plugins", "new", "--folder", tmp_path / "in", "--", name, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "use letters, digits and dashes" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(tmp_path: Path):
    passed(BIN / "opcode", "plugins", "new", "Opcode-Some_Thing", cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["opcode-some-thing"]
    done = run(BIN / "opcode", "plugins", "new", "some-thing", "--kind", "vault", cwd=tmp_path)
    assert done.returncode == 2
    assert "is there already; choose another name" in done.stderr
