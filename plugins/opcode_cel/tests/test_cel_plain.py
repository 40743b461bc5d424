"""The direct path gives what the interpreter gives, errors included, and is quick."""

import timeit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opcode_cel.closures import UnsureError
from opcode_cel.program import compile_program
from opcode_core import OpcodeError, StepView

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([2**63 - 1, -(2**63), 2**53, 2**53 + 1]),
    st.sampled_from([0.0, -0.0, 1.0, 1.5, -2.0, 1e300, 9007199254740992.0, float("inf"), float("nan")]),
    st.sampled_from(["", "a", "b", "1", "true"]),
)
VALUES = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=2),
    st.dictionaries(st.sampled_from(["a", "b", "status"]), SCALARS, max_size=2),
)
STEPS = st.builds(
    StepView, VALUES, st.sampled_from(["completed", "failed"]), st.sampled_from([None, {"code": "X"}])
)
SCOPES = st.fixed_dictionaries(
    {
        "inputs": st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES, max_size=3),
        "steps": st.dictionaries(st.sampled_from(["a", "b", "c"]), STEPS, max_size=3),
    },
    optional={"iter": st.fixed_dictionaries({"item": VALUES, "index": st.integers(0, 3)})},
)

PATH_SOURCES = [
    *("inputs.a", "inputs.b", "inputs['c']", "inputs.a.b", "inputs.a[0]", "inputs.b[-1]", "inputs.a['b']"),
    *("inputs.a[5]", "inputs.c[0].a", "steps.a[0]", "steps.a['status']", "steps['gone'].x"),
    *("steps.a", "steps.a.b", "steps['b'].status", "steps.c.output", "steps.a.error.code", "steps.b[1]"),
    *("steps.a.output.a", "iter.item", "iter.index", "nope", "nope.x", "inputs", "steps", "int"),
]
PATHS = st.sampled_from(PATH_SOURCES)
LITERALS = st.sampled_from(
    [
        *("0", "1", "-1", "2", "1.0", "1.5", "0.0", "1u", "9223372036854775807", "9007199254740993"),
        *("true", "false", "null", "'a'", "''", "'true'", "b'a'", "[]", "{}", "[1]"),
    ]
)
BINARY = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "&&", "||"])


def _grown(children):
    return st.one_of(
        st.builds("({} {} {})".format, children, BINARY, children),
        st.builds("{} {} {}".format, children, BINARY, children),
        st.builds("{0} {1} {2} {1} {3}".format, children, st.sampled_from(["&&", "||"]), children, children),
        st.builds("!{}".format, PATHS),
        st.builds("!({})".format, children),
        st.builds("has({})".format, PATHS.filter(lambda path: "." in path or "[" in path)),
        st.builds("default({}, {})".format, PATHS, children),
    )


EXPRESSIONS = st.recursive(st.one_of(PATHS, LITERALS), _grown, max_leaves=6)


def outcome(evaluate, scope):
    """The value with its type, or the error's message."""
    try:
        value = evaluate(scope)
    except OpcodeError as error:
        return error.code, error.message
    return type(value), repr(value)


@settings(max_examples=800, deadline=None)
@given(source=EXPRESSIONS, scope=SCOPES)
def test_the_direct_path_and_the_interpreter_agree(source, scope):
    program = compile_program(source)
    assert outcome(program.evaluate, scope) == outcome(program.interpret, scope)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        1.5,
        "ab",
        "",
        [],
        [1, 2],
        ["x", {"a": 1}],
        {},
        {"a": 1, "b": [0], "status": 2},
        (1, 2),
        b"x",
    ],
)
@pytest.mark.parametrize("path", PATH_SOURCES)
def test_every_path_into_every_kind_of_value(path, value):
    step = StepView(value, "failed", {"code": "X"})
    scope = {"inputs": dict.fromkeys("abc", value), "steps": dict.fromkeys("abc", step)}
    for source in (
        *(path, f"!{path}", f"{path} == 1", f"{path} == null", f"has({path})", f"{path} + 1 < 3"),
        *(f"default({path}, 7)", f"default({path}, inputs.b)", f"default({path}, inputs.none) == 1"),
    ):
        if source == f"has({path})" and path.isidentifier():
            continue
        program = compile_program(source)
        assert outcome(program.evaluate, scope) == outcome(program.interpret, scope), source


@settings(max_examples=200, deadline=None)
@given(left=VALUES, right=VALUES, operator=BINARY, literal=LITERALS)
def test_every_operator_on_every_pair_of_values(left, right, operator, literal):
    scope = {"inputs": {"a": left, "b": right}}
    for source in (
        f"inputs.a {operator} inputs.b",
        f"inputs.a {operator} {literal}",
        f"{literal} {operator} inputs.a",
    ):
        program = compile_program(source)
        assert outcome(program.evaluate, scope) == outcome(program.interpret, scope), source


PLAIN = [
    "inputs.n > 5",
    "inputs.n",
    "steps['review-gate'].choice == 'approve'",
    "!inputs.done",
    "!(inputs.a && inputs.b)",
    "iter.index < 3 && steps.a.ok == true",
    "inputs.a == 1 || inputs.b != 'x' || (inputs.c >= 2.5 && inputs.d <= 3)",
    "inputs.n + 1",
    "iter.item * 2",
    "inputs.a - inputs.b > 3",
    "inputs.xs[0] == null",
    "has(inputs.a) && inputs.a > 1",
    "inputs.a == inputs.b",
    "default(inputs.a, 3) > 2",
    "default(steps.a.x['y'], default(inputs.b, 'none'))",
]


@pytest.mark.parametrize("source", PLAIN)
def test_plain_conditions_take_the_direct_path(source):
    assert compile_program(source).direct is not None


@pytest.mark.parametrize(
    "source", ["size(inputs.xs) > 1", "inputs.xs.all(x, x)", "[1]", "'a' in inputs.m", "1u == 1", "a ? b : c"]
)
def test_the_rest_does_not(source):
    assert compile_program(source).direct is None


def test_a_closure_never_answers_where_it_is_unsure():
    direct = compile_program("inputs.a == inputs.b").direct
    assert direct({"inputs": {"a": 1, "b": 1.0}}) is True
    assert direct({"inputs": {"a": True, "b": 1}}) is False
    for value in ([], {}, (1,), b"x", object()):
        with pytest.raises(UnsureError):
            direct({"inputs": {"a": value, "b": value}})


@pytest.mark.parametrize(
    "source",
    ["inputs.n > 5", "iter.index < 3 && steps.a.ok == true", "inputs.n + 1", "default(inputs.no, 3) > 2"],
)
def test_plain_conditions_take_microseconds(source):
    scope = {
        "inputs": {"n": 6},
        "iter": {"index": 2},
        "steps": {"a": StepView({"ok": True}, "completed", None)},
    }
    program = compile_program(source)
    best = min(timeit.repeat(lambda: program.evaluate(scope), number=1000, repeat=5)) / 1000
    assert best < 5e-6


OTHERS = [
    "size(inputs.xs) > 2 && inputs.s.startsWith('h')",
    "inputs.xs.filter(x, x > 1).map(x, string(x)).join(',')",
    "inputs.n > 5 ? 'large' : 'small'",
    "{'total': inputs.xs.sum(), 'top': inputs.xs.sort().reverse().slice(0, 2), 'n': math.round(1.5)}",
    "'%s has %d items, %.2f on average'.format([inputs.s, size(inputs.xs), inputs.xs.sum() / 3.0])",
    "timestamp('2026-01-31T12:00:00Z') + duration('1h30m') > timestamp(0)",
    "toJson({'s': inputs.s, 'xs': inputs.xs.distinct()})",
    "steps.a.rows.sortBy(r, -r.id).first().name.upperAscii()",
    "inputs.s.matches('^h.*o$') && inputs.n in inputs.xs",
]
TOUCHES = [
    "inputs.rows[100].name + '!'",
    "inputs.m.k5000 + size(inputs.s)",
    "default(inputs.m.nope, 1) + size(inputs.s)",
    "has(inputs.m.nope) || size(inputs.s) > 3",
    "inputs.rows.size() > 3 && inputs.rows[0].id == 0",
    "'k7' in inputs.m ? inputs.m['k7'] : 0",
]


@pytest.mark.parametrize("source", OTHERS + TOUCHES)
def test_the_rest_takes_less_than_a_millisecond_however_large_the_scope(source):
    """A megabyte of scope of which the expression touches one field, or a few."""
    scope = {
        "inputs": {
            "n": 6,
            "s": "hello",
            "xs": [3, 1, 2],
            "m": {f"k{i}": i for i in range(20_000)},
            "rows": [{"id": i, "name": f"the row {i}"} for i in range(20_000)],
        },
        "steps": {
            "a": StepView({"rows": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]}, "completed", None)
        },
    }
    program = compile_program(source)
    assert program.interpret(scope) == program.evaluate(scope)
    best = min(timeit.repeat(lambda: program.interpret(scope), number=20, repeat=5)) / 20
    assert best < 1e-3
