"""docs/plugins/tutorial.md, followed word by word."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).with_name("uv")
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Reader:
    """Does what the page says, in an environment that has OPCODE and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = folder / ".env"
        self.call([UV, "venv", "--quiet", "--python", sys.executable, self.environment])
        self.install(ROOT / "opcode_core", "ruff", "mypy")

    def call(self, command: list[object]) -> str:
        path = f"{self.environment / 'bin'}:{os.environ['PATH']}"
        home = {"OPCODE_DB_PATH": str(self.environment / "opcode.db")}
        surroundings = {**os.environ, "PATH": path, "MYPY_CACHE_DIR": str(self.environment), **home}
        done = subprocess.run(
            list(map(str, command)),
            cwd=self.folder,
            env=surroundings,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def install(self, *what: object) -> None:
        python = ["--python", self.environment / "bin/python"]
        quiet = ["--quiet", "--constraint", ROOT / "constraints.txt"]
        self.call([UV, "pip", "install", *python, *quiet, *what])

    def do(self, line: str) -> str:
        name, *arguments = shlex.split(line)
        if name == "cd":
            self.folder = self.folder / arguments[0]
        elif (name, *arguments[:1]) == ("pip", "install"):
            self.install(*arguments[1:], ROOT / "opcode_core", ROOT / "plugins/opcode_testkit")
        else:
            return self.call([self.environment / "bin" / name, *arguments])
        return ""

    def follow(self, kind: str, path: str, text: str) -> None:
        if kind != "console":
            (self.folder / path).write_text(text)
            return
        said = ""
        for line in text.splitlines():
            if line.startswith("$ "):
                said = self.do(line[2:])
            else:
                assert "".join(line.split()) in "".join(said.split()), f"{line!r} is not in {said!r}"


@pytest.mark.timeout(300)
def test_what_the_page_says_is_what_happens(tmp_path: Path):
    blocks = BLOCK.findall((ROOT / "docs/plugins/tutorial.md").read_text("utf-8"))
    assert [kind for kind, *_ in blocks].count("console") == 4
    reader = Reader(tmp_path)
    for block in blocks:
        reader.follow(*block)
