"""What the documents show is what happens."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OPCODE = Path(sys.executable).with_name("opcode")


def json_blocks(document: str) -> list[str]:
    text = (ROOT / document).read_text("utf-8")
    return re.findall(r"```json\n(.*?)```", text, re.DOTALL)


WORKFLOWS = [
    pytest.param(block, id=f"{document} {number}")
    for document in ("README.md", "docs/workflows.md")
    for number, block in enumerate(json_blocks(document))
    if '"steps"' in block
]


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_every_workflow_in_the_documents_is_valid(workflow: str, tmp_path: Path):
    file = tmp_path / "w.json"
    file.write_text(workflow)
    done = subprocess.run([OPCODE, "validate", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_readme_s_first_workflow_runs(tmp_path: Path):
    (tmp_path / "hello.json").write_text(
        next(block for block in json_blocks("README.md") if '"steps"' in block)
    )
    done = subprocess.run(
        [OPCODE, "run", "hello.json", "-p", "greeting=hi"],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    hashes = json.loads(done.stdout)["hashes"]
    assert len(hashes) == 2
    assert all(len(value) == 64 for value in hashes)


def test_the_readme_s_plugin_is_the_example():
    shown = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]
    assert shown == (ROOT / "examples/plugins/opcode-greet/src/opcode_greet.py").read_text()
