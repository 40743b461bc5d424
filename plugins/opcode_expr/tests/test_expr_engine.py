"""The engine as a plugin: offered by the hook, cheap to import, cached, quiet, safe in threads."""

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points

import pytest

from opcode_core import OpcodeError
from opcode_expr import ExprEngine, plugin
from opcode_expr.engine import CACHED_SOURCE


def test_the_hook_offers_the_engine_named_expr():
    (engine,) = plugin.opcode_expression_engines()
    assert engine.name == "expr"
    assert engine.compile("1 + 1").evaluate({}) == 2


def test_the_plugin_is_found_by_its_entry_point():
    (entry,) = entry_points(group="opcode.plugins", name="expr")
    assert entry.load() is plugin


def test_importing_the_plugin_imports_no_parser():
    script = (
        "import sys, opcode_expr.plugin as p\n"
        "heavy = {'lark', 're2', 'decimal'}\n"
        "engine = p.opcode_expression_engines()[0]\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert engine.compile('1 + 1').evaluate({}) == 2\n"
        "assert 'lark' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_same_source_gives_the_same_program():
    engine = ExprEngine()
    assert engine.compile("cached > 1") is engine.compile("cached > 1")
    assert engine.compile("cached > 1") is not engine.compile("cached > 2")


def test_the_cache_is_bounded_in_entries_and_in_bytes():
    engine = ExprEngine()
    long = f"'{'x' * CACHED_SOURCE}'"
    assert engine.compile(long) is not engine.compile(long)
    assert engine._cached.cache_info().maxsize == 512


def test_errors_are_not_logged_or_printed(capfd, caplog):
    caplog.set_level(logging.DEBUG)
    for source in ("1 + 'a'", "'a' matches ('(' + '')", "map([1], .x)", "inputs.x.y", "fromJSON('{')"):
        with pytest.raises(OpcodeError):
            ExprEngine().compile(source).evaluate({"inputs": {}})
    with pytest.raises(OpcodeError):
        ExprEngine().compile("1 +")
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_no_traceback_of_the_inside_is_shown():
    for source in ("inputs.x.y", "1 + 'a'", "unknown"):
        with pytest.raises(OpcodeError) as caught:
            ExprEngine().compile(source).evaluate({"inputs": {}})
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_many_threads_share_programs_and_the_parser():
    def work(seed: int) -> None:
        for round_ in range(60):
            n = seed * 1000 + round_
            assert ExprEngine().compile(f"inputs.n == {n}").evaluate({"inputs": {"n": n}}) is True
            shared = ExprEngine().compile("let n = inputs.n; map(inputs.xs, # + n + reduce(1..3, #acc + #))")
            assert shared.evaluate({"inputs": {"n": n, "xs": [1, 2]}}) == [n + 7, n + 8]

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(work, seed) for seed in range(8)]:
            future.result()
