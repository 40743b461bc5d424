"""docs/secrets.md and the README: each command does what stands below it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from serving import OPCODE, environment_of
from vault_workbench import contents

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = (ROOT / "docs/secrets.md").read_text("utf-8")
README = (ROOT / "plugins/opcode_vault/README.md").read_text("utf-8")
MARK = "---next---"


def turns():
    """The commands of all sessions, in order, and what the page says that they print."""
    for block in re.findall(r"```console\n(.*?)```", DOCUMENT, re.DOTALL):
        yield from re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)


def fits(shown, got):
    """Whether that is what is shown; … stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, shown.split("…"))), got, re.DOTALL)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_the_session_happens_as_it_stands_there(tmp_path):
    (workflow,) = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
    (tmp_path / "show.json").write_text(workflow)
    expected = list(turns())
    assert len(expected) > 15
    script = "".join(f"{command}\necho '{MARK}'\n" for command, _ in expected)
    done = subprocess.run(
        ["bash", "-c", f"exec 2>&1\n{script}"],
        env={
            **environment_of(tmp_path, OPCODE_LISTEN_ADDR="127.0.0.1:0", OPCODE_LOG_LEVEL="error"),
            "PATH": f"{Path(OPCODE).parent}:/usr/bin:/bin",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    said = done.stdout.split(f"{MARK}\n")
    assert len(said) == len(expected) + 1
    for (command, shown), got in zip(expected, said, strict=False):
        assert fits(shown, without_progress(got)), (command, got)


def without_progress(got):
    """What `opcode run` says while it goes on is not shown on the page."""
    lines = [
        line
        for line in got.splitlines(keepends=True)
        if not re.match(r"\d\d:\d\d:\d\d\.\d{3} |look again:| +opcode (status|diagram) ", line)
    ]
    return "".join(lines)


async def test_the_readme_s_python_works(file):
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    storage = (await file.vault()).storage
    body = "".join(f"    {line}\n" for line in block.splitlines())
    there = {"storage": storage}
    exec(f"async def example(storage):\n{body}    return vault", there)
    vault = await there["example"](storage)
    assert await contents(type(vault)(storage, passphrase=lambda: "another")) == {"GITHUB_TOKEN": "the value"}


def test_the_readme_s_commands_work(tmp_path):
    commands = re.findall(r"^    (.*)$", README, re.MULTILINE)
    done = subprocess.run(
        ["bash", "-ec", "\n".join(commands)],
        env={**environment_of(tmp_path), "PATH": f"{Path(OPCODE).parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "GITHUB_TOKEN is stored" in done.stdout
    assert "1 secret under the new passphrase" in done.stdout
    assert "GITHUB_TOKEN is deleted" in done.stdout


def test_the_readme_names_every_file():
    modules = {path.name for path in (ROOT / "plugins/opcode_vault/src/opcode_vault").glob("*.py")}
    assert modules - {"__init__.py", "plugin.py"} == set(re.findall(r"`(\w+\.py)`", README))
