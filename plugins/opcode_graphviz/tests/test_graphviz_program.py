"""Graphviz as a process: where it is found, and what happens when it is not, fails, hangs or eats memory."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from opcode_core import ErrorCode, OpcodeError
from opcode_graphviz import program

SMALL = "digraph { a -> b }"


@pytest.fixture
def only(monkeypatch, tmp_path):
    """Makes scripts the only programs there are; the first is the system's `dot`."""

    def make(*scripts: str) -> list[str]:
        paths = []
        for number, script in enumerate(scripts):
            path = tmp_path / f"dot{number}"
            path.write_text(f"#!{sys.executable}\nimport os, sys, time\n{script}\n")
            path.chmod(0o755)
            paths.append(str(path))
        monkeypatch.setattr(program, "installed", lambda: list(paths))
        return paths

    return make


def test_the_one_from_pypi_is_found_beside_python(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    (found,) = program.installed()
    assert Path(found).name == "graphviz-pure"
    assert program.graphviz(SMALL, "-Tsvg").startswith(b"<?xml")


def test_the_systems_comes_first(monkeypatch, tmp_path):
    (tmp_path / "dot").write_text("#!/bin/sh\necho mine\n")
    (tmp_path / "dot").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert program.installed()[0] == str(tmp_path / "dot")
    assert program.graphviz(SMALL, "-Tsvg") == b"mine\n"


def test_one_that_fails_is_followed_by_the_other(only):
    only("sys.exit('Format: png not recognized')", "print('drawn')")
    assert program.graphviz(SMALL, "-Tpng") == b"drawn\n"


def test_without_any_it_is_said_what_to_do(only):
    only()
    with pytest.raises(OpcodeError, match="pip install graphviz-pure") as raised:
        program.graphviz(SMALL, "-Tpng")
    assert raised.value.code is ErrorCode.EXECUTION_ERROR


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("sys.exit('syntax error\\nin line 1')", "failed with 1: syntax error in line 1"),
        ("os.kill(os.getpid(), 9)", "failed with -9: it said nothing"),
        ("", "failed with 0: it said nothing"),
        ("sys.exit('x' * 100_000)", "xxx"),
    ],
)
def test_what_it_says_is_told_in_one_short_line(only, script, words):
    only(script)
    with pytest.raises(OpcodeError) as raised:
        program.graphviz(SMALL, "-Tpng")
    assert words in raised.value.message
    assert len(raised.value.message) < 600
    assert "\n" not in raised.value.message


def test_one_that_cannot_be_started(only, tmp_path):
    (path,) = only("")
    Path(path).chmod(0o644)
    with pytest.raises(OpcodeError, match="cannot be started"):
        program.graphviz(SMALL, "-Tpng")


def test_one_that_hangs_is_ended(only, tmp_path):
    only(
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)",
        "print('never asked')",
    )
    began = time.monotonic()
    with pytest.raises(OpcodeError, match=r"within 1\.5 s") as raised:
        program.graphviz(SMALL, "-Tpng", seconds=1.5)
    assert raised.value.code is ErrorCode.TIMEOUT_ERROR
    assert time.monotonic() - began < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds another process's memory")
def test_memory_is_bounded(only):
    only(
        "sys.stdin.read()\ntry:\n    block = bytearray(2**31)\n"
        "except MemoryError:\n    sys.exit('no memory')\nprint('got it')"
    )
    with pytest.raises(OpcodeError, match="no memory"):
        program.graphviz(SMALL, "-Tpng")


def test_it_learns_nothing_of_the_environment(only, monkeypatch):
    monkeypatch.setenv("OPCODE_VAULT_KEY", "hush")
    only("print(sorted(os.environ))")
    assert b"OPCODE" not in program.graphviz(SMALL, "-Tpng")


def test_listing_plugins_starts_nothing_and_loads_little():
    code = (
        "import sys, opcode_graphviz.plugin as p; p.opcode_diagram_renderers();"
        "print(sorted({'pydot', 'pyparsing', 'xml.etree.ElementTree', 'subprocess'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
