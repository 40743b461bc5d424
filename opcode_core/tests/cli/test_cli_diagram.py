"""`opcode diagram`: formats, files, and what a pipe gets."""

import json
import subprocess
from base64 import b64decode

import pytest

from opcode_core.tests.cli.conftest import OPCODE, hash_step

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("w.png", PNG),
        ("w.PNG", PNG),
        ("w.svg", b"<svg "),
        ("w.dot", b"digraph "),
        ("w.gv", b"digraph "),
        ("w.mmd", b"---\ntitle: "),
        ("w.txt", b"w.json"),
    ],
)
def test_the_file_says_the_format(opcode, workflow, home, name, begins):
    workflow(hash_step("only"))
    done = opcode("diagram", "w.json", "-o", name)
    assert (done.returncode, done.stdout) == (0, "")
    assert (home / name).read_bytes().startswith(begins)


def test_the_format_counts_more_than_the_file(opcode, workflow, home):
    workflow(hash_step("only"))
    opcode("diagram", "w.json", "--format", "mermaid", "-o", "w.svg")
    assert "flowchart TD" in (home / "w.svg").read_text()


def test_a_pipe_gets_the_bytes(opcode, workflow, home, environment):
    workflow(hash_step("only"))
    assert opcode("diagram", "w.json", "--format", "dot").stdout.startswith("digraph ")
    command = [OPCODE, "diagram", "w.json", "--format", "image"]
    done = subprocess.run(command, capture_output=True, cwd=home, env=environment, timeout=60, check=True)
    assert done.stdout.startswith(PNG)
    drawn = json.loads(opcode("diagram", "w.json", "--format", "image", "--json").stdout)
    assert drawn["format"] == "image"
    assert b64decode(drawn["diagram"]).startswith(PNG)


def test_who_has_no_plugin_for_it_is_told_which(opcode, workflow):
    workflow(hash_step("only"))
    done = opcode("diagram", "w.json", "-o", "w.png", OPCODE_PLUGINS_DENY="graphviz")
    assert done.returncode == 2
    assert "'image'" in done.stderr
    assert "graphviz" in done.stderr
    assert "Traceback" not in done.stderr
