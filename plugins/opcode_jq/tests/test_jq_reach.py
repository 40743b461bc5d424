"""What a program can touch: read off its text, and never too little."""

import json

import jq as binding
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opcode_core import StepView
from opcode_jq.reach import reach
from opcode_jq.view import view


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        (".steps.fetch.items", {("steps", "fetch", "items")}),
        (".steps.fetch.items[] | select(.x > 1) | .name", {("steps", "fetch", "items")}),
        ('[.steps["review-gate"].list[] | .a, .b]', {("steps", "review-gate", "list")}),
        ('.steps."a b".c', {("steps", "a b", "c")}),
        ('.["steps"].a', {("steps", "a")}),
        (".inputs.a + .steps.b.c", {("inputs", "a"), ("steps", "b", "c")}),
        ('{a: .inputs.x, "b": [.steps.q | .z], c: 1}', {("inputs", "x"), ("steps", "q")}),
        ("{a: .x | {b}, c: .y}", {("x",), ("y",)}),
        ("{(.k): .v}", {("k",), ("v",)}),
        (".a[.b.c]", {("a",), ("b", "c")}),
        (".a // .b | f", {("a",), ("b",)}),
        ("[.a | .b], (.c | .d)", {("a",), ("c",)}),
        (".a?.b", {("a",)}),
        (".a | . as $x | reduce .[] as $y (0; f)", {("a",)}),
        (".a and (.b == null)", {("a",), ("b",)}),
        ("-.a", {("a",)}),
        (".a[1:2]", {("a",)}),
        ("1", set()),
        ("[] | length", set()),
    ],
)
def test_paths_are_found(source, paths):
    assert reach(source) == paths


@pytest.mark.parametrize(
    "source",
    [
        ".",
        "..",
        "keys",
        "{a}",
        '{"a"}',
        "{$x}",
        "[.[]]",
        ".[0]",
        ".[.a]",
        ". | .a",
        ".a as $x | .b",
        "if .a then .b else .c end",
        "map(.a)",
        "[limit(3; .a[])]",
        "def f: .b; .a | f",
        ".a |= 3",
        ".a = .b",
        ".a += 1",
        ".a //= 1",
        "try .a catch .",
        "reduce .a[] as $x (0; . + $x)",
        '"\\(.a)"',
        '@base64 "x"',
        "$ENV",
        ".a # comment",
        ".a, .",
        "(.a, .).b",
        "{a: .}",
        "{a: .x, b}",
        ".a[.]",
        ".a | f(",
        ".a ?// .b",
        '."a\\u0062"',
        "not",
        "input",
    ],
)
def test_what_is_not_plain_may_touch_everything(source):
    assert reach(source) is None


NAMES = st.sampled_from(["steps", "inputs", "context", "a", "b", "status", "output"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda names: "".join(f".{name}" for name in names))
ATOMS = st.one_of(
    PATHS,
    PATHS,
    PATHS.map(lambda path: path + "[]?"),
    st.sampled_from(
        [".", "1", '"t"', "null", "keys?", "length?", "empty", '.["inputs"].a', '.steps["a"]', "..", "$x"]
    ),
)
PROGRAMS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" | ", ", ", " // ", " == ", " and "]), inner).map("".join),
        inner.map(lambda one: f"[{one}]"),
        inner.map(lambda one: f"({one})"),
        inner.map(lambda one: f"({one}).a?"),
        st.tuples(inner, inner).map(lambda two: f"{{a: {two[0]}, b: ({two[1]})}}"),
        inner.map(lambda one: f"{{({NAME}): ({one}), a}}"),
        inner.map(lambda one: f"map({one})?"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) as $x | {two[1]}"),
        st.tuples(inner, inner, inner).map(lambda it: f"if {it[0]} then {it[1]} else {it[2]} end"),
        st.tuples(PATHS, inner).map(lambda two: f"{two[0]}[{two[1]}]?"),
        st.tuples(PATHS, inner).map(lambda two: f"({two[0]} |= {two[1]})?"),
        inner.map(lambda one: f"def f: {one}; f"),
    ),
    max_leaves=6,
)
NAME = '"k"'
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.just("t"))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)
SCOPES = st.fixed_dictionaries(
    {
        "steps": st.dictionaries(
            NAMES, VALUES.map(lambda output: StepView(output, "completed", None)), max_size=3
        ),
        "inputs": st.dictionaries(NAMES, VALUES, max_size=2),
        "context": st.dictionaries(NAMES, VALUES, max_size=2),
    }
)


def outcome(source: str, seen: dict) -> object:
    try:
        return binding.compile(source).input_text(json.dumps(seen)).all()
    except ValueError as error:
        return "undefined" if "not defined" in str(error) else "an error"


@settings(max_examples=300, deadline=None)
@given(source=PROGRAMS, scope=SCOPES)
def test_a_program_gives_the_same_over_what_it_can_touch_as_over_everything(source, scope):
    paths = reach(source)
    if paths is None:
        return
    whole = view(scope, None, "")
    whole["steps"] = {
        # As view gives a step when its program names no status, error or output of it.
        step_id: step.output
        for step_id, step in scope["steps"].items()
    }
    if any(path[0] == "steps" and len(path) > 2 and path[2] in {"status", "output"} for path in paths):
        return
    if any(path[0] == "steps" and len(path) < 3 for path in paths) and (
        "status" in source or "output" in source
    ):
        return
    assert outcome(source, view(scope, paths, source)) == outcome(source, whole)


def test_only_what_is_needed_goes_out():
    large = {"list": [{"x": "y" * 1000}] * 1000, "small": 1}
    scope = {
        "steps": {"a": StepView(large, "completed", None), "b": StepView(large, "completed", None)},
        "inputs": {"n": 1, "m": large},
        "context": large,
    }
    source = ".steps.a.small + .inputs.n"
    assert view(scope, reach(source), source) == {"steps": {"a": {"small": 1}}, "inputs": {"n": 1}}


def test_steps_are_only_looked_up_when_they_are_named():
    class Lazy(dict):
        def __getitem__(self, key):
            assert key == "a"
            return super().__getitem__(key)

    steps = Lazy(a=StepView([1], "completed", None), b=StepView([2], "completed", None))
    source = "[.steps.a[] | . + 1]"
    assert view({"steps": steps}, reach(source), source) == {"steps": {"a": [1]}}
