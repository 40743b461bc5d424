"""The engine as a plugin: offered by the hook, cheap to import, checked at once, frugal, closed."""

import re
import statistics
import subprocess
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from opcode_asteval import PythonEngine, plugin
from opcode_core import Engine, ErrorCode, OpcodeError, StepView
from opcode_core.memory import MemoryStorage
from opcode_core.plugins.manager import PluginManager


def own_children() -> set[str]:
    children = set()
    for task in Path("/proc/self/task").iterdir():
        try:
            children |= set((task / "children").read_text().split())
        except OSError:
            continue
    return children


async def test_the_hook_offers_the_engine_named_python():
    (engine,) = plugin.opcode_expression_engines()
    assert engine.name == "python"
    assert await engine.compile("1 + 1").evaluate({}) == 2
    engine.close()


def test_the_plugin_is_found_by_its_entry_point():
    (entry,) = entry_points(group="opcode.plugins", name="asteval")
    assert entry.load() is plugin


def test_neither_side_imports_what_it_does_not_need():
    script = (
        "import sys, asyncio, opcode_asteval.plugin as p\n"
        "engine = p.opcode_expression_engines()[0]\n"
        "assert asyncio.run(engine.compile('1 + 1').evaluate({})) == 2\n"
        "assert not {'asteval', 'opcode_asteval.checks'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    script = (
        "import sys, opcode_asteval.evaluation\n"
        "print([m for m in sys.modules if m.startswith(('opcode_core', 'numpy', 'typing'))])"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{script}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "empty"),
        ("   \n", "empty"),
        ("1 +", "at the end: invalid syntax"),
        ("1 if", "at the end: "),
        ("(1", "never closed"),
        ("a b", "invalid syntax"),
        ("import os", "write one expression: import, def, for, = and other statements"),
        ("x = 1", "statements"),
        ("for x in y: pass", "statements"),
        ("del steps", "statements"),
        ("1; 2", "invalid syntax"),
        ("(x := 1)", "nothing can be assigned"),
        ("lambda: 1", "there is no lambda; .* key='price'"),
        ("sorted(data, key=lambda x: x.p)", "at column 18: there is no lambda"),
        ("[await x for x in data]", "nothing to await|await"),
        ("[x async for x in data]", "asynchronous|await"),
        ("(yield)", "yield"),
        ("b'x'", "bytes is no type of JSON"),
        ("1j", "complex is no type of JSON"),
        ("...", "ellipsis is no type of JSON"),
        ("true", "there is no name 'true'; write True"),
        ("null", "write None"),
        ("nme", "there is no name 'nme'; there are context, data, inputs, iter, loop, steps, workflow"),
        ("open('/etc/passwd')", "'open' is not a function; there are abs, all"),
        ("__import__('os')", "'__import__' is not a function"),
        ("eval('1')", "'eval' is not a function"),
        ("__builtins__", "no name '__builtins__'"),
        ("len", "'len' is a function; call it"),
        ("[len][0]([])", "call"),
        ("str(len)", "'len' is a function"),
        ("data.items()[0][1]()", "only functions and methods can be called"),
        ("(1 if data else 2)()", "only functions and methods can be called"),
        ("[].append(1)", r"no method 'append'; write list \+ \[item\]"),
        ("'{}'.format(1)", "no method 'format'; write f'…'"),
        ("steps.clear()", "no method 'clear'; nothing can be changed"),
        ("steps.update({})", "no method 'update'; write object"),
        ("'a'.encode()", "no method 'encode'"),
        ("'a'.__class__()", "no method '__class__'"),
        ("'a'.translate({})", "no method 'translate'"),
        ("'a'.expandtabs(9)", "no method 'expandtabs'"),
        ("[*[1]]", "'\\*' is only for calls"),
        ("{**data}", "'\\*\\*' is not available; join objects with \\|"),
        ("dict(**data)", "'\\*\\*' is not available"),
        ("data[1, 2]", "one index at a time"),
        ("[1] @ [2]", "no operator @"),
        ("[x for [x] in data]", "write 'for x in …'"),
        ("[1 for data.x in [1]]", "write 'for x in …'"),
        ("[1 for steps in [1]]", "choose another name than 'steps'"),
        ("[1 for len in [1]]", "choose another name than 'len'"),
        ("[1 for __x in [1]]", "may not begin with __"),
        ("1 + " * 200 + "1", "too large: at most 80 levels"),
        ("-" * 5000 + "1", "nested too deeply"),
        ("(" * 300 + "1" + ")" * 300, "too many nested parentheses"),
        ("[" * 90 + "]" * 90, "too large"),
        ("[" + "1," * 4000 + "]", "too large: at most 80 levels and 4000 parts"),
        ("1" * 5000, "Exceeds the limit|integer"),
        ("1 \0", "null bytes"),
        ("'\ud800", "unterminated|surrogates"),
        ("1" * 8193, "at most 8 KiB"),
        ("data if data else", "at the end|invalid|expected"),
    ],
)
def test_what_is_not_an_expression_is_refused_when_it_is_compiled(python, source, words):
    with pytest.raises(OpcodeError) as caught:
        python.compile(source)
    assert caught.value.code is ErrorCode.VALIDATION_ERROR
    assert re.search(words, caught.value.message), caught.value.message
    assert len(caught.value.message) < 400


def test_the_same_text_gives_the_same_program(python):
    assert python.compile("1 + 2") is python.compile("1 + 2")
    assert python.compile("1 + 2") is not python.compile("1 + 3")


@pytest.mark.parametrize(
    ("source", "names", "steps"),
    [
        ("1", set(), set()),
        ("steps.a.b + steps['c-d'].e", {"steps"}, {"a", "c-d"}),
        ("steps[inputs.n]", {"steps", "inputs"}, None),
        ("len(steps)", {"steps"}, None),
        ("steps.values()", {"steps"}, None),
        ("[x for x in steps]", {"steps"}, None),
        ("steps.a.steps", {"steps"}, {"a"}),
        ("steps.a or steps", {"steps"}, None),
        ("data.steps + context.x", {"data", "context"}, set()),
    ],
)
def test_what_it_uses_is_known(python, source, names, steps):
    program = python.compile(source)
    assert (program.names, program.steps) == (names, steps)


async def test_only_what_is_used_goes_out(python):
    class Lazy(dict):
        def __getitem__(self, key):
            assert key == "a"
            return super().__getitem__(key)

        def __iter__(self):
            raise AssertionError("the steps are not to be gone through")

    scope = {
        "steps": Lazy(a=StepView({"x": 1}, "completed", None), b=StepView({1, 2}, "completed", None)),
        "inputs": {"not": {"JSON"}},
    }
    assert await python.compile("steps.a.x + 1").evaluate(scope) == 2


async def test_what_the_check_could_not_say_the_evaluation_does(monkeypatch):
    python = PythonEngine()

    def ask(*_):
        raise OpcodeError(ErrorCode.TIMEOUT_ERROR, "too slow")

    monkeypatch.setattr(python._guarded, "ask", ask)
    with pytest.raises(OpcodeError, match="invalid syntax") as caught:
        await python.compile("1 +").evaluate({})
    assert caught.value.code is ErrorCode.VALIDATION_ERROR
    scope = {"steps": {"a": StepView(1, "completed", None)}, "inputs": {"n": 1}}
    assert await python.compile("steps.a + inputs.n").evaluate(scope) == 2
    python.close()


async def test_a_round_trip_over_a_small_scope_is_short(python):
    scope = {
        "steps": {"fetch": StepView({"items": [{"x": 1}, {"x": 2}]}, "completed", None)},
        "inputs": {"n": 1},
    }
    program = python.compile("[i for i in steps.fetch.items if i.x > inputs.n]")
    times = []
    for _ in range(200):
        begin = time.perf_counter()
        assert await program.evaluate(scope) == [{"x": 2}]
        times.append(time.perf_counter() - begin)
    assert statistics.median(times) < 0.001


async def test_the_service_ends_the_processes():
    before = own_children()
    plugins = PluginManager(discover=False)
    plugins.register(plugin, "asteval")
    async with Engine(MemoryStorage(), plugins) as engine:
        assert await engine.registry.engines["python"].compile("1").evaluate({}) == 1
        assert len(own_children() - before) == 1
    assert own_children() == before
