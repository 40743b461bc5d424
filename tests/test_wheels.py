"""Every package's wheel, built once, is installed with what it asks for and nothing else, and works there."""

import json
import os
import subprocess
import sys
import tomllib
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).with_name("uv")
PACKAGES = sorted(
    path.parent.relative_to(ROOT).as_posix()
    for pattern in ("opcode_*/pyproject.toml", "panel/pyproject.toml", "plugins/*/pyproject.toml")
    for path in ROOT.glob(pattern)
)

pytestmark = pytest.mark.timeout(300)


def project(package: str) -> dict:
    return tomllib.loads((ROOT / package / "pyproject.toml").read_text("utf-8"))["project"]


def plugins_of(package: str) -> set[str]:
    return set(project(package).get("entry-points", {}).get("opcode.plugins", {}))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    command = [UV, "build", "--quiet", "--all-packages", "--wheel", "--out-dir", folder, ROOT]
    built = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert built.returncode == 0, built.stderr
    # Our names mean these wheels, and nothing that a registry may have under the same.
    ours = [
        f"{path.name.partition('-')[0].replace('_', '-')} @ {path.as_uri()}" for path in folder.glob("*.whl")
    ]
    (folder / "ours.txt").write_text("\n".join(ours) + "\n")
    return folder


def wheel_of(wheels: Path, package: str) -> Path:
    [found] = wheels.glob(f"{project(package)['name'].replace('-', '_')}-*.whl")
    return found


def installed(wheels: Path, environment: Path, *what: str) -> Path:
    """The folder of commands of a fresh environment with just that."""
    quiet = ["--quiet", "--no-progress"]
    python = environment / "bin/python"
    bounds = ["--constraint", ROOT / "constraints.txt", "--constraint", wheels / "ours.txt"]
    for command in (
        [UV, "venv", *quiet, "--python", sys.executable, environment],
        [UV, "pip", "install", *quiet, "--python", python, *bounds, *what],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
        assert done.returncode == 0, done.stderr
    return environment / "bin"


def opcode(folder: Path, home: Path, *arguments: str) -> str:
    """What it says; never with a traceback, nor with a complaint."""
    done = subprocess.run(
        [folder / "opcode", *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "is not known" not in done.stderr
    return done.stdout


def listed(folder: Path, home: Path) -> dict[str, dict]:
    answer = json.loads(opcode(folder, home, "plugins", "list", "--json"))
    assert answer["collisions"] == []
    return {plugin["name"]: plugin for plugin in answer["plugins"]}


def test_there_is_a_wheel_of_every_package(wheels: Path):
    built = {path.name.partition("-")[0] for path in wheels.glob("*.whl")}
    assert built == {project(package)["name"].replace("-", "_") for package in PACKAGES}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_holds_its_files_and_nothing_else(wheels: Path, package: str):
    source = ROOT / package / "src"
    with ZipFile(wheel_of(wheels, package)) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        [metadata] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        said = Parser().parsestr(wheel.read(metadata).decode())
    there = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file()
        and path.suffix in (".py", ".txt", ".lark", ".md", ".html", ".mako")
        and "__pycache__" not in path.parts
    }
    assert there <= names, sorted(there - names)
    assert not [name for name in names if "tests/" in name or name.endswith(".pyc")]
    assert said["Summary"]
    assert said.get_payload().strip(), "it has no README"
    assert {name.partition("/")[0] for name in names} == {
        path.name for path in source.iterdir() if path.is_dir()
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_it_works_alone(wheels: Path, package: str, tmp_path: Path):
    commands = installed(wheels, tmp_path / "env", str(wheel_of(wheels, package)))
    home = tmp_path / "home"
    home.mkdir()
    found = listed(commands, home)
    assert plugins_of(package) <= set(found)
    assert not [plugin for plugin in found.values() if plugin["state"] != "active" or plugin["error"]]
    assert "Commands" in opcode(commands, home, "--help")


def test_all_of_them_work_together(wheels: Path, tmp_path: Path):
    core = wheel_of(wheels, "opcode_core")
    commands = installed(wheels, tmp_path / "env", f"opcode-core[all] @ {core.as_uri()}")
    home = tmp_path / "home"
    home.mkdir()
    found = listed(commands, home)
    apart = {"opcode_core", "plugins/opcode_testkit"}
    assert set(found) == set().union(*(plugins_of(package) for package in PACKAGES if package not in apart))
    assert {plugin["state"] for plugin in found.values()} == {"active"}
    steps = [{"id": "hash", "action": "crypto.hash", "params": {"data": "x"}}]
    (home / "w.json").write_text(json.dumps({"steps": steps}))
    assert json.loads(opcode(commands, home, "run", "w.json", "--quiet"))["hash"]["algorithm"] == "sha256"
