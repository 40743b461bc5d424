"""The engine as a plugin: offered by the hook, cheap to import, checked at once, cached, closed."""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from opcode_core import ErrorCode, OpcodeError, StepView
from opcode_jq import JqEngine, plugin
from opcode_jq.engine import CHECK_SECONDS, MAX_SOURCE


def own_children() -> set[str]:
    children = set()
    for task in Path("/proc/self/task").iterdir():
        try:
            children |= set((task / "children").read_text().split())
        except OSError:
            continue
    return children


def refused(jq: JqEngine, source: str) -> str:
    with pytest.raises(OpcodeError) as caught:
        jq.compile(source)
    assert caught.value.code is ErrorCode.VALIDATION_ERROR
    return caught.value.message


async def test_the_hook_offers_the_engine_named_jq():
    (engine,) = plugin.opcode_expression_engines()
    assert engine.name == "jq"
    assert await engine.compile("1 + 1").evaluate({}) == 2
    engine.close()


def test_the_plugin_is_found_by_its_entry_point():
    (entry,) = entry_points(group="opcode.plugins", name="jq")
    assert entry.load() is plugin


def test_neither_side_imports_what_it_does_not_need():
    script = (
        "import sys, asyncio, opcode_jq.plugin as p\n"
        "engine = p.opcode_expression_engines()[0]\n"
        "assert asyncio.run(engine.compile('1 + 1').evaluate({})) == 2\n"
        "assert 'jq' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    script = (
        "import sys, opcode_jq.evaluation\nprint([m for m in sys.modules if m.startswith('opcode_core')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (".a +", "unexpected end of file at line 1, column 4 in: .a +"),
        (".a |\n | .b", "line 2"),
        ("foo", "foo/0 is not defined at line 1, column 1"),
        ("$x", r"\$x is not defined"),
        (".a) | (.b", "syntax error"),
        (")(", "syntax error"),
        ("", "not given"),
        ("# nothing", "not given"),
        ("1 \0 2", "NUL"),
        ("{", "syntax error"),
        ('"a', "syntax error|unterminated"),
        ('"\ud800"', "surrogates"),
        ("if . then 1", "syntax error"),
        ("." + "|." * (MAX_SOURCE // 2), "at most 16 KiB"),
    ],
)
def test_a_text_that_is_no_program_is_refused_when_it_is_compiled(jq, source, words):
    message = refused(jq, source)
    __import__("re").search(words, message) or pytest.fail(message)
    assert len(message) < 400
    assert "\n" not in message


@pytest.mark.parametrize(
    "source",
    [
        'import "a" as $d; $d',
        'import "/etc/a" as $d {search: "/etc"}; $d',
        'include "a"; 1',
        '  # words\n  import "a" as a; 1',
        'module {"name": "x"}; 1',
        'def f: 1; import "a" as $d; f',
    ],
)
def test_programs_stand_alone(jq, source):
    refused(jq, source)


def test_the_same_text_gives_the_same_program(jq):
    assert jq.compile(".cached") is jq.compile(".cached")
    assert jq.compile(".cached") is not jq.compile(".other")
    begin = time.perf_counter()
    for _ in range(1000):
        jq.compile(".cached")
    assert time.perf_counter() - begin < 0.1, "a known program asks nobody"


async def test_a_program_whose_check_takes_too_long_is_checked_when_it_runs():
    jq = JqEngine(seconds=0.2)
    slow = '"\\(' * 3200 + "1" + ')"' * 3200  # the time to compile it grows with its square
    begin = time.monotonic()
    program = jq.compile(slow)
    assert time.monotonic() - begin < CHECK_SECONDS + 0.5
    begin = time.monotonic()
    assert jq.compile(slow) is program
    assert time.monotonic() - begin < 0.01, "it is not asked for again"
    with pytest.raises(OpcodeError, match="not done after 0.2 s") as caught:
        await program.evaluate({})
    assert caught.value.code is ErrorCode.TIMEOUT_ERROR
    jq.close()


async def test_what_the_check_could_not_say_the_evaluation_does(monkeypatch):
    jq = JqEngine()

    def ask(*_):
        raise OpcodeError(ErrorCode.TIMEOUT_ERROR, "too slow")

    monkeypatch.setattr(jq._guarded, "ask", ask)
    with pytest.raises(OpcodeError, match="unexpected end of file") as caught:
        await jq.compile(".a +").evaluate({})
    assert caught.value.code is ErrorCode.VALIDATION_ERROR
    assert await jq.compile("1").evaluate({}) == 1
    jq.close()


async def test_a_program_that_ends_its_compiler_is_an_error(jq):
    with pytest.raises(OpcodeError, match="more than 256 MiB of memory"):
        jq.compile('"x" * 1000000000')
    assert await jq.compile("1").evaluate({}) == 1


async def test_a_round_trip_over_a_small_scope_is_short(jq):
    scope = {
        "steps": {"fetch": StepView({"items": [{"x": 1}, {"x": 2}]}, "completed", None)},
        "inputs": {"n": 1},
        "context": {},
        "workflow": {"run_id": "r"},
    }
    program = jq.compile("[.steps.fetch.items[] | select(.x > 1)]")
    times = []
    for _ in range(200):
        begin = time.perf_counter()
        assert await program.evaluate(scope) == [{"x": 2}]
        times.append(time.perf_counter() - begin)
    assert statistics.median(times) < 0.001


async def test_what_is_large_beside_the_path_costs_nothing(jq):
    large = [{"x": "y" * 1000}] * 5000
    scope = {
        "steps": {"a": StepView({"small": [1], "large": large}, "completed", None)},
        "inputs": {"large": large},
    }
    begin = time.perf_counter()
    assert await jq.compile(".steps.a.small[] | . + 1").evaluate(scope) == 2
    assert time.perf_counter() - begin < 0.1


async def test_data_beyond_the_bound_is_an_error(jq):
    with pytest.raises(OpcodeError, match="at most 8 MiB") as caught:
        await jq.compile("length").evaluate({"data": ["x" * 1000] * 9000})
    assert caught.value.details["expression"] == "length"
    with pytest.raises(OpcodeError, match="not JSON|JSON has no type"):
        await jq.compile("length").evaluate({"data": {"a": {1, 2}}})


async def test_the_service_ends_the_processes():
    from opcode_core import Engine
    from opcode_core.memory import MemoryStorage
    from opcode_core.plugins.manager import PluginManager

    before = own_children()
    plugins = PluginManager(discover=False)
    plugins.register(plugin, "jq")
    async with Engine(MemoryStorage(), plugins) as engine:
        assert await engine.registry.engines["jq"].compile("1").evaluate({}) == 1
        assert len(own_children() - before) == 1
    assert own_children() == before


def test_files_and_the_environment_are_out_of_reach(monkeypatch, tmp_path):
    monkeypatch.setenv("OPCODE_VAULT_KEY", "do not show")
    (tmp_path / "secret.json").write_text('{"do not": "show"}')
    (tmp_path / "secret.jq").write_text('def show: "do not show";')
    monkeypatch.chdir(tmp_path)
    engine = JqEngine()

    async def run(source: str, data: object = None) -> object:
        try:
            return await engine.compile(source).evaluate({"data": data, "inputs": {}})
        except OpcodeError as error:
            return error.message

    async def all_of_them() -> None:
        assert await run("env") == {}
        assert await run("$ENV") == {}
        assert await run("env | length") == 0
        assert await run("$ENV.OPCODE_VAULT_KEY") is None
        assert await run("env.PATH") is None
        assert await run("$__prog_args") != {}
        assert await run("input_filename") is None
        assert await run("get_search_list") == []
        for name in ("secret", str(tmp_path / "secret"), "../secret", "/etc/passwd", "~/secret"):
            for program in (
                f'import "{name}" as $d; $d',
                f'import "{name}" as $d {{search: "{tmp_path}"}}; $d',
                f'include "{name}" {{search: "{tmp_path}"}}; show',
                f'"{name}" | modulemeta',
                f'import "{name}" as m; m::show',
                f'def f: 1; import "{name}" as $d; $d',
                f"({f'import {name!r} as $d; $d'})",
            ):
                text = str(await run(program))
                assert "show" not in text.replace(program, "")
                assert "root:" not in text
        for program in (
            "debug",
            "stderr",
            '"x" | stderr',
            "input_line_number",
            "[inputs]",
            "input",
            "halt",
            "halt_error",
        ):
            assert "show" not in str(await run(program))
        assert await run('getpath(["inputs"])') == {}

    asyncio.run(all_of_them())
    engine.close()
    assert os.environ["OPCODE_VAULT_KEY"] == "do not show"
