"""The engine as a plugin: offered by the hook, cheap to import, cached, quiet, safe in threads."""

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points

import pytest

from opcode_cel import CelEngine, plugin
from opcode_cel.engine import CACHED_SOURCE
from opcode_core import OpcodeError


def test_the_hook_offers_the_engine_named_cel():
    (engine,) = plugin.opcode_expression_engines()
    assert engine.name == "cel"
    assert engine.compile("1 + 1").evaluate({}) == 2


def test_the_plugin_is_found_by_its_entry_point():
    (entry,) = entry_points(group="opcode.plugins", name="cel")
    assert entry.load() is plugin


def test_importing_the_plugin_does_not_import_celpy():
    script = (
        "import sys, opcode_cel.plugin as p\n"
        "heavy = {'celpy', 'lark', 're2', 'pendulum'}\n"
        "engine = p.opcode_expression_engines()[0]\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert engine.compile('1 + 1').evaluate({}) == 2\n"
        "assert 'celpy' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_same_source_gives_the_same_program():
    engine = CelEngine()
    assert engine.compile("inputs.cached > 1") is engine.compile("inputs.cached > 1")
    assert engine.compile("inputs.cached > 1") is not engine.compile("inputs.cached > 2")


def test_the_cache_is_bounded_in_entries_and_in_bytes():
    engine = CelEngine()
    long = f"'{'x' * CACHED_SOURCE}'"
    assert engine.compile(long) is not engine.compile(long)
    assert engine._cached.cache_info().maxsize == 1024


def test_errors_are_not_logged_or_printed(capfd, caplog):
    caplog.set_level(logging.DEBUG)
    for source in ("1 + 'a'", "'a'.matches('(')", "[1].all(x, x.y)", "inputs.x", "timestamp('x')"):
        with pytest.raises(OpcodeError):
            CelEngine().compile(source).evaluate({"inputs": {}})
    with pytest.raises(OpcodeError):
        CelEngine().compile("1 +")
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_no_traceback_of_the_inside_is_shown():
    with pytest.raises(OpcodeError) as caught:
        CelEngine().compile("inputs.x.y").evaluate({"inputs": {}})
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_many_threads_share_programs_and_the_parser():
    def work(seed: int) -> None:
        for round_ in range(60):
            n = seed * 1000 + round_
            assert CelEngine().compile(f"inputs.n == {n}").evaluate({"inputs": {"n": n}}) is True
            shared = CelEngine().compile("inputs.xs.map(x, x + inputs.n)")
            assert shared.evaluate({"inputs": {"n": n, "xs": [1, 2]}}) == [n + 1, n + 2]

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(work, seed) for seed in range(8)]:
            future.result()


def test_evaluation_leaves_the_scope_alone():
    scope = {"inputs": {"xs": [1, 2], "m": {"a": [1]}}}
    program = CelEngine().compile("inputs.xs.map(x, x + 1) + [3] == [] || inputs.m == {'a': [1]}")
    assert program.evaluate(scope) is True
    assert scope == {"inputs": {"xs": [1, 2], "m": {"a": [1]}}}
