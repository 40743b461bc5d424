"""Plugins and the command line: their commands, their faults, what is missing without them."""

import json
import subprocess
import sys

import pytest

from opcode_core.tests.cli.conftest import hash_step

COMMANDS = """
import click
from opcode_core import hookimpl

@hookimpl
def opcode_commands(cli):
    @cli.command("wave")
    @click.option("--hard", is_flag=True, help="With both hands.")
    def wave(hard):
        "Wave at someone."
        from opcode_core.cli.session import settings
        print("waving", hard, settings().db_path)
        return 3 if hard else 0

    @cli.command("break")
    def broken():
        "Break."
        raise RuntimeError("oh no")
"""


def test_a_plugins_command_is_listed_and_called_with_the_flags_before_it(opcode, install):
    found = install("wave", COMMANDS)
    assert "wave" in opcode("--help", **found).stdout
    assert "Wave at someone." in opcode("--help", **found).stdout
    done = opcode("--db-path", "x.db", "wave", "--hard", **found)
    assert done.stdout == "waving True x.db\n"
    assert done.returncode == 3
    assert "With both hands." in opcode("wave", "--help", **found).stdout
    assert "did you mean 'wave'?" in opcode("wafe", **found).stderr


def test_a_bug_is_one_line_and_a_traceback_only_for_who_asks(opcode, install):
    found = install("wave", COMMANDS)
    done = opcode("break", **found)
    assert done.returncode == 1
    assert done.stderr == (
        "opcode: this is a bug: RuntimeError: oh no (OPCODE_LOG_LEVEL=debug shows where)\n"
    )
    assert "Traceback" in opcode("break", OPCODE_LOG_LEVEL="debug", **found).stderr
    assert "Traceback" in opcode("--log-level", "debug", "break", **found).stderr


def test_a_name_that_is_taken_stays_with_whom_it_belongs_to(opcode, install):
    install("wave", COMMANDS)
    thief = COMMANDS.replace('"break"', '"run"').replace("Wave at", "Steal from")
    done = opcode("--help", **install("xthief", thief))
    assert "the command 'run' of opcode_xthief is left out: the name is taken" in done.stderr
    assert "the command 'wave' of" in done.stderr
    assert done.stdout.count("\n  run ") == done.stdout.count("\n  wave ") == 1
    assert "Run a workflow file" in done.stdout


def test_a_plugin_that_cannot_be_imported_stops_nothing(opcode, install, workflow):
    found = install("sick", "raise RuntimeError('no battery')")
    assert opcode("--help", **found).returncode == 0
    assert opcode("validate", workflow(hash_step()), **found).returncode == 0
    (row,) = (
        row
        for row in json.loads(opcode("plugins", "list", "--json", **found).stdout)["plugins"]
        if row["name"] == "sick"
    )
    assert (row["state"], row["error"]) == ("broken", "RuntimeError: no battery")
    listed = opcode("plugins", "list", **found).stdout
    assert "✗ broken  RuntimeError: no battery" in listed


def test_two_plugins_with_one_name_are_told_apart(opcode, install):
    renderer = """
from opcode_core import hookimpl

class Crayon:
    format = "ascii"
    media_type = "text/plain"
    def render(self, diagram):
        return "crayon"

@hookimpl
def opcode_diagram_renderers():
    return [Crayon()]
"""
    install("crayon", renderer)
    found = install("pencil", renderer)
    found["OPCODE_PLUGINS_DENY"] = "ascii"
    done = opcode("diagram", "-", stdin=json.dumps({"steps": [hash_step()]}), **found)
    assert done.returncode == 2
    assert "diagram renderer 'ascii' is offered by both crayon and pencil; deny one" in done.stderr
    found["OPCODE_PLUGINS_DENY"] = "ascii,crayon"
    done = opcode("diagram", "-", stdin=json.dumps({"steps": [hash_step()]}), **found)
    assert done.stdout == "crayon\n"
    done = opcode("diagram", "-", "--json", stdin=json.dumps({"steps": [hash_step()]}), **found)
    assert json.loads(done.stdout) == {"format": "ascii", "diagram": "crayon"}


def test_a_picture_goes_to_a_file_or_a_pipe_but_not_to_a_terminal(opcode, terminal, install, home):
    found = install(
        "photo",
        """
from opcode_core import hookimpl

class Photo:
    format = "photo"
    media_type = "image/png"
    def render(self, diagram):
        return bytes([137]) + diagram.title.encode()

@hookimpl
def opcode_diagram_renderers():
    return [Photo()]
""",
    )
    (home / "w.json").write_text(json.dumps({"steps": [hash_step()]}))
    assert opcode("diagram", "w.json", "--format", "photo", "-o", "w.png", **found).returncode == 0
    assert (home / "w.png").read_bytes() == b"\x89w.json"
    answer = json.loads(opcode("diagram", "w.json", "--format", "photo", "--json", **found).stdout)
    assert answer["diagram"] == "iXcuanNvbg=="
    code, shown = terminal("diagram", "w.json", "--format", "photo", **found)
    assert code == 2
    assert "a picture cannot be shown here; write it to a file with -o" in shown


@pytest.mark.parametrize(
    ("arguments", "deny", "message"),
    [
        (["diagram", "w.json"], "ascii", "draws 'ascii' (the settings leave out the plugin ascii)"),
        (
            ["diagram", "w.json", "--format", "mermaid"],
            "mermaid",
            "'mermaid' (the settings leave out the plugin mermaid)",
        ),
        (["diagram", "w.json", "--format", "oil"], "", "formats are"),
        (["define", "w.json"], "sql", "nothing is remembered here, for no storage is installed"),
        (["status", "x"], "sql", "nothing is remembered here, for no storage is installed"),
        (["run", "template"], "sql", "nothing is remembered here, for no storage is installed"),
    ],
)
def test_what_is_not_installed_is_named_with_what_to_do(opcode, workflow, arguments, deny, message):
    workflow(hash_step())
    done = opcode(*arguments, OPCODE_PLUGINS_DENY=deny)
    assert done.returncode == 2
    assert message in done.stderr


def test_without_a_storage_a_run_lives_in_memory_and_says_so(opcode, workflow, home):
    done = opcode("run", workflow(hash_step()), "-q", OPCODE_PLUGINS_DENY="sql")
    assert done.returncode == 0
    assert "hash" in json.loads(done.stdout)["h"]
    assert "this run is not stored: no storage is installed" in done.stderr
    assert "look again" not in opcode("run", "w.json", OPCODE_PLUGINS_DENY="sql").stderr
    assert not (home / ".opcode").exists()


def test_checking_and_drawing_a_file_touches_no_storage(opcode, workflow, home):
    assert opcode("validate", workflow(hash_step())).returncode == 0
    opcode("diagram", "w.json")
    assert not (home / ".opcode").exists()


HEAVY = {"pydantic", "rich", "sqlalchemy", "sqlmodel", "jsonschema", "asyncio", "celpy", "httpx2"}
PROBE = """
import atexit, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
from opcode_core.cli.main import main
main()
"""


@pytest.mark.parametrize("argument", ["--help", "version"])
def test_help_and_version_load_nothing_heavy(home, environment, install, argument):
    found = install("wave", COMMANDS)
    done = subprocess.run(
        [sys.executable, "-c", PROBE, argument],
        env={**environment, **found},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stderr.split())
    assert loaded >= {"click", "opcode_core.cli.main"}
    assert ("opcode_wave" in loaded) is (argument == "--help")
    assert loaded.isdisjoint(HEAVY | {"opcode_core.engine.engine"})
