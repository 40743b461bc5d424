"""Nothing that an expression says takes for ever, or all the memory, or the process with it."""

import sys
import time

import pytest

from opcode_cel import CelEngine
from opcode_cel.program import CelProgram, compile_program
from opcode_core import ErrorCode, OpcodeError


def refused(source: str, code: ErrorCode, **scope: object) -> str:
    """The message; it comes within seconds, even on a busy machine."""
    began = time.thread_time()
    with pytest.raises(OpcodeError) as caught:
        compile_program(source).evaluate(scope)
    assert time.thread_time() - began < 3
    assert caught.value.code == code
    return caught.value.message


def test_a_source_has_at_most_64_kib():
    fitting = "inputs.a" + " " * (64 * 1024 - 8)
    assert CelEngine().compile(fitting).evaluate({"inputs": {"a": 1}}) == 1
    for source in (fitting + " ", f"'{'é' * 40_000}'"):
        with pytest.raises(OpcodeError, match="VALIDATION_ERROR: an expression has at most 64 KiB"):
            CelEngine().compile(source)


NESTINGS = {
    "parentheses": ("(", "1", ")"),
    "lists": ("[", "1", "]"),
    "maps": ("{'a': ", "1", "}"),
    "calls": ("dyn(", "1", ")"),
    "not": ("!", "true", ""),
    "not in brackets": ("!(", "true", ")"),
    "minus": ("-", "inputs.n", ""),
    "sums": ("1 + (", "1", ")"),
    "conditions": ("true && (", "true", ")"),
    "choices": ("(", "true", " ? true : false)"),
    "macros": ("[1].map(x, ", "x", ")"),
    "guards": ("[1].all(x, ", "true", ")"),
    "indexes": ("[0][", "0", "]"),
    "defaults": ("default({}.a, ", "1", ")"),
    "sizes": ("[size([", "1", "])]"),
    "methods": ("'a'.substring(", "0", ").size()"),
}


@pytest.mark.parametrize("name", NESTINGS)
def test_deep_nesting_is_refused_and_what_is_allowed_is_evaluated(name):
    opening, core, closing = NESTINGS[name]
    for levels in (10, 20, 30, 40, 50, 60, 62, 64, 65, 100, 1000):
        source = opening * levels + core + closing * levels
        refusal = None
        try:
            program = compile_program(source)
        except OpcodeError as error:
            refusal = error
        if refusal is None:
            assert levels <= 64
            program.evaluate({"inputs": {"n": 1}})
            program.interpret({"inputs": {"n": 1}})
        else:
            assert levels > 20
            assert refusal.code == ErrorCode.VALIDATION_ERROR
            assert "nested too deeply: at most 64 levels" in refusal.message


def test_very_deep_brackets_are_refused_without_parsing_them():
    for bracket in "([{":
        assert "nested too deeply" in refused(bracket * 60_000, ErrorCode.VALIDATION_ERROR)


@pytest.mark.parametrize("joint", [" && ", " || ", " + ", " - ", " * ", " == "])
def test_long_chains_are_not_deep(joint):
    value = {" && ": True, " || ": False, " == ": True}.get(joint, 1)
    program = compile_program(joint.join(["inputs.a"] * 1500))
    assert program.evaluate({"inputs": {"a": value}}) is not None
    assert program.interpret({"inputs": {"a": value}}) == program.evaluate({"inputs": {"a": value}})


def test_long_choices_are_not_deep():
    source = "".join(f"inputs.n == {i} ? 'v{i}' : " for i in range(500)) + "'none'"
    assert compile_program(source).evaluate({"inputs": {"n": 499}}) == "v499"


@pytest.mark.parametrize(
    "source",
    [
        "inputs.xs.all(a, inputs.xs.all(b, inputs.xs.all(c, a + b + c >= 0)))",
        "inputs.xs.all(a, inputs.xs.map(b, b) == inputs.xs)",
        "inputs.xs.all(a, inputs.xs.all(b, !(-1 in inputs.xs)))",
        "[1]" + ".map(x, [x, x])" * 30 + " == [1]" + ".map(x, [x, x])" * 30,
        "[1]" + ".map(x, [x, x])" * 30,
        "inputs.xs.all(a, inputs.xs.all(b, nope.x))",
    ],
)
def test_long_work_is_stopped(source, monkeypatch):
    monkeypatch.setattr(CelProgram.evaluate, "__defaults__", (0.1,))
    message = refused(source, ErrorCode.EXECUTION_ERROR, inputs={"xs": list(range(2000))})
    assert message.startswith(("took too long", "makes too much"))


def test_running_out_is_not_absorbed():
    source = "inputs.xs.all(a, inputs.xs.all(b, inputs.xs.all(c, true))) || true"
    assert (
        refused(source, ErrorCode.EXECUTION_ERROR, inputs={"xs": list(range(2000))})
        == "took too long: it was stopped after 1 s"
    )


@pytest.mark.parametrize(
    "source",
    [
        "[inputs.s]" + ".map(x, x + x)" * 30,
        "[inputs.s.split('')]" + ".map(x, x + x)" * 30,
        "inputs.s.replace('', inputs.s)",
        "inputs.s.split('').map(x, inputs.s).join('')",
        "inputs.s.split('').join(inputs.s)",
        "inputs.s.split('').map(x, inputs.s.upperAscii())",
        "inputs.s.split('').map(x, bytes(inputs.s))",
    ],
)
def test_growing_text_and_lists_are_stopped_before_they_are_made(source):
    message = refused(source, ErrorCode.EXECUTION_ERROR, inputs={"s": "x" * 100_000})
    assert "more than 16 MiB" in message


def test_patterns_and_texts_that_make_backtracking_parsers_hang():
    for source in (
        '"' + r"\n" * 60,
        'r"' + r"\n" * 60 + "\\'",
        "'''" + r"\n" * 60,
        "duration('" + "a" * 100 + "!')",
        "duration('" + "1" * 100 + "!')",
        "timestamp('" + "2" * 60 + "')",
        "'" + "a" * 5000 + "!'.matches('^(a+)+$') || nope",
        "'x'.matches('" + "a" * 5000 + "')",
        "'x'.matches('((a{1000}){1000}){1000}')",
        "a." * 20_000 + "-",
        "a-" * 20_000 + ")",
    ):
        with pytest.raises(OpcodeError):
            compile_program(source).evaluate({})


def test_deep_values_are_an_error_and_not_a_crash():
    deep: dict = {}
    for _ in range(20_000):
        deep = {"a": deep}
    other = {"a": deep["a"]}
    message = refused("inputs.x == inputs.y", ErrorCode.EXECUTION_ERROR, inputs={"x": deep, "y": other})
    assert "nested too deeply" in message
    assert compile_program("inputs.x.a").evaluate({"inputs": {"x": deep}}) is deep["a"]


def test_a_number_of_any_size_is_an_error_at_worst():
    scope = {"inputs": {"n": 10**400}}
    assert compile_program("inputs.n > 1.5").evaluate(scope) is True
    assert "far too large" in refused("inputs.n * 1.5", ErrorCode.EXECUTION_ERROR, **scope)
    assert "overflow" in refused("inputs.n + 1", ErrorCode.EXECUTION_ERROR, **scope)


def test_the_recursion_limit_of_the_process_is_left_alone():
    limit = sys.getrecursionlimit()
    compile_program("inputs.xs.map(x, x)").evaluate({"inputs": {"xs": [1]}})
    assert sys.getrecursionlimit() == limit
