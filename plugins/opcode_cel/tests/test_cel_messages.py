"""Errors tell what is wrong, where, and what to write instead."""

import pytest

from opcode_cel.program import compile_program
from opcode_core import ErrorCode, OpcodeError, StepView

SCOPE = {
    "steps": {
        "fetch": StepView({"status_code": 200, "body": {}}, "completed", None),
        "list": StepView([1, 2], "completed", None),
        "skipped": StepView(None, "skipped", None),
        "step-1": StepView({"v": 1}, "completed", None),
        "wide": StepView({f"k{i:02}": i for i in range(100)}, "completed", None),
    },
    "inputs": {"n": 6, "s": "a secret text", "m": {}},
}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("steps.fetch.bdy", "steps.fetch has no 'bdy'; it has: body, status_code"),
        ("steps.fetch['bdy'].x", "steps.fetch has no 'bdy'; it has: body, status_code"),
        ("1 + size(steps.fetch.output.bdy)", "steps.fetch.output has no 'bdy'; it has: body, status_code"),
        ("steps.fetch.body.x == 1", "steps.fetch.body has no 'x'; it is empty"),
        (
            "steps.nope.x == 1",
            "steps has no 'nope'; it has: fetch, list, skipped, step-1, wide",
        ),
        (
            "steps.step-1",
            (
                "steps has no 'step'; it has: fetch, list, skipped, step-1, wide; "
                "a name with '-' goes in brackets: ['step-1']"
            ),
        ),
        ("steps.skipped.x", "steps.skipped is null, so it has no 'x'"),
        ("steps.list.x", "steps.list is a list of 2, so it has no 'x'"),
        ("steps.list[2]", "steps.list has 2 items, so it has no [2]"),
        ("steps.list['0']", "steps.list['0']: steps.list is a list of 2: its index is a number"),
        (
            "steps.list[0.5]",
            "steps.list[0.5]: steps.list is a list: its index is a whole number, not the double 0.5",
        ),
        ("inputs.n.x", "inputs.n is the int 6, so it has no 'x'"),
        ("inputs.s[0]", "inputs.s is a string, so it has no [0]"),
        ("nope == 1", "there is no 'nope' here; it has: inputs, steps"),
        ("inputs.n > 'a'", "inputs.n > 'a': an int and a string have no order"),
        ("1 + inputs.s", "1 + inputs.s: '+' does not take an int and a string"),
        ("(inputs.n + 1) * 'x'", "(inputs.n + 1) * 'x': '*' does not take an int and a string"),
        ("1 / (inputs.n - 6)", "1 / (inputs.n - 6): division by zero"),
        (
            "9223372036854775807 + 1",
            "9223372036854775807 + 1: integer overflow: the result has more than 64 bits",
        ),
        ("inputs.n && true", "inputs.n: true or false is needed here, and it is the int 6"),
        ("!inputs.s", "!inputs.s: true or false is needed here, and it is a string"),
        ("inputs.m ? 1 : 2", "inputs.m: true or false is needed here, and it is a map"),
        ("size(inputs.n)", "size(inputs.n): size() takes bytes, list, map or string, not int"),
        ("inputs.n.trim()", "inputs.n.trim(): trim() takes string, not int"),
        (
            "inputs.n.map(x, x)",
            "inputs.n.map(x, x): map() goes through a list or the keys of a map, not the int 6",
        ),
        ("[1].map(x, x.y)", "x is the int 1, so it has no 'y'"),
        ("1 in inputs.s", "1 in inputs.s: 'in' looks into a list or the keys of a map, not into a string"),
        ("'a'.matches('(')", "'a'.matches('('): not a pattern of RE2: missing ): ("),
        ("1.0 / 0.0", "the result is inf, which JSON cannot hold"),
    ],
)
def test_evaluation(source, message):
    with pytest.raises(OpcodeError) as caught:
        compile_program(source).evaluate(SCOPE)
    assert caught.value.code == ErrorCode.EXECUTION_ERROR
    assert caught.value.message == message
    assert caught.value.details == {"expression": source}


def test_a_text_is_not_repeated_in_messages():
    for source in ("inputs.s > 1", "inputs.s.x", "!inputs.s", "inputs.s + 1", "int(inputs.s)"):
        with pytest.raises(OpcodeError) as caught:
            compile_program(source).evaluate(SCOPE)
        assert "secret" not in caught.value.message


def test_what_is_there_is_named_within_bounds():
    with pytest.raises(OpcodeError, match=r"it has: k00, .*k11, …$"):
        compile_program("steps.wide.x").evaluate(SCOPE)
    with pytest.raises(OpcodeError) as caught:
        compile_program(f"'{'x' * 5000}' + 1").evaluate(SCOPE)
    assert len(caught.value.message) < 200
    assert len(caught.value.details["expression"]) <= 500


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "the expression is empty"),
        ("  \n ", "the expression is empty"),
        (
            "loop.index == 0",
            "at column 1 (»loop.index == 0): 'loop' is reserved: use iter.item and iter.index",
        ),
        ("1 + loop.item", "at column 5 (1 + »loop.item): 'loop' is reserved: use iter.item and iter.index"),
        ("[1].map(loop, loop)", "at column 9 ([1].map(»loop, loop)): 'loop' is reserved"),
        ("while == 1", "'while' is reserved"),
        ("inputs.n = 5", "at column 10 (inputs.n »= 5): unexpected '='; to compare, write '=='"),
        ("inputs.n === 5", "'===' is '==' here"),
        ("inputs.n <> 5", "write '!='"),
        ("inputs.n ** 2", "there is no power operator"),
        ("inputs?.n", "write default(a.b, 'x')"),
        ("1 == 1; 2", "it must be one expression"),
        ("inputs.a and inputs.b", "at column 10 (inputs.a »and inputs.b): unexpected 'and'; write '&&'"),
        ("inputs.a or inputs.b", "unexpected 'or'; write '||'"),
        ("not inputs.a", "'not' is no operator: write '!'"),
        ("inputs.x && not inputs.a", "write '!'"),
        ("not(inputs.a)", "write '!'"),
        ("inputs.a inputs.b", "at column 10 (inputs.a »inputs.b): unexpected 'inputs'"),
        ("inputs.a & inputs.b", "write '&&'"),
        ("inputs.a | inputs.b", "write '||'"),
        ("inputs.a is null", "write '=='"),
        ("inputs.a == None", "'None' is written null here"),
        ("inputs.a == True", "'True' is written true here"),
        ("inputs.a == undefined", "'undefined' is written null here"),
        ("if inputs.a", "write condition ? this : that"),
        ("${{ inputs.a }}", "leave out the ${{ }} around it"),
        ("inputs.?a", "write default(a.b, 'x')"),
        ("inputs.`a+b`", "in brackets"),
        ("`a-b`", "in brackets"),
        ("inputs.true", "as a key it goes in brackets: ['true']"),
        ("steps.review-gate.choice == 'x'", "a name with '-' goes in brackets: steps['review-gate']"),
        ("size(steps.a-b-c.items)", "steps['a-b-c']"),
        ("steps.step-1.ok", "steps['step-1']"),
        ("inputs.m.my-key == 1", "inputs.m['my-key']"),
        ("inputs.n >", "at column 11 (inputs.n >»): the expression ends too early"),
        ("(inputs.n", "the expression ends too early"),
        ("[1, 2", "the expression ends too early"),
        ("inputs.a ? 1", "the expression ends too early"),
        ("inputs.n)", "unexpected ')'"),
        ("'abc", "at column 1 (»'abc): the string is not closed"),
        ("inputs.a == \"b'", "the string is not closed"),
        ("'a\nb'", "the string is not closed"),
        (r"'\d'", r"\d is no escape; double the backslash, or write r'…'"),
        (r"'\ud800'", "is no character"),
        ("9223372036854775808", "the integer has more than 64 bits"),
        ("18446744073709551616u", "the integer has more than 64 bits"),
        (f"1{'0' * 5000}", "the integer has more than 64 bits"),
        ("-1u", "an unsigned integer has no sign"),
        ("1e999", "the number is too large for a double"),
        ("inputs.a\n  == 1\n  = 2", "at line 3, column 3 (  »= 2): unexpected '='"),
        ("len(inputs.a)", "there is no function len(); did you mean size()?"),
        ("inputs.a.lower()", "did you mean lowerAscii()?"),
        ("inputs.a.startwith('x')", "did you mean startsWith()?"),
        ("qqq(1)", "there is no function qqq()"),
        ("now() > inputs.t", "there is no function now(): it would give another value each time"),
        ("math.random()", "there is no function math.random()"),
        ("range(5)", "there is no function range(); did you mean lists.range()?"),
        ("round(1.5)", "did you mean math.round()?"),
        ("inputs.n.round()", "did you mean math.round()?"),
        ("lists.sort([1])", "there is no function lists.sort(); did you mean sort()?"),
        ("inputs.xs.unique()", "did you mean distinct()?"),
        ("sorted(inputs.xs)", "did you mean sort()?"),
        ("inputs.xs.every(x, x)", "did you mean all()?"),
        ("JSON.parse(inputs.s)", "there is no function parse()"),
        ("parseJson(inputs.s)", "did you mean json()?"),
        ("inputs.s.format('a', 'b')", "format() takes 1 argument, not 2"),
        ("math.abs(1, 2)", "math.abs() takes 1 argument, not 2"),
        ("b'\\u00e9'", r"\u names a character, and bytes hold none"),
        ("1" + " + 1" * 6000, "the expression has more than 10,000 parts"),
        ("size()", "size() takes 1 argument, not 0"),
        ("'a'.replace('b')", "replace() takes 2 to 3 arguments, not 1"),
        ("'a'.size('b')", "size() takes 0 arguments, not 1"),
        ("has(inputs)", "has() asks for a part of something: has(a.b)"),
        ("has(1 + 2)", "has() asks for a part of something"),
        ("has(a.b, a.c)", "has() takes 1 argument, not 2"),
        ("default(a.b)", "default() takes 2 arguments, not 1"),
        ("inputs.a.has(b)", "has() is written has(a.b, …)"),
        ("all(inputs.xs, x, x)", "all() is written list.all(x, …)"),
        ("inputs.xs.map(x)", "map() takes 2 to 3 arguments, not 1"),
        ("inputs.xs.all(1, true)", "the first argument of all() is the name of a variable"),
        ("inputs.xs.all(x.y, true)", "the first argument of all() is the name of a variable"),
        ("Message{a: 1}", "there are no message types; a map is {'key': value}"),
        (".size([1])", "a function has no leading dot"),
    ],
)
def test_compilation(source, message):
    with pytest.raises(OpcodeError) as caught:
        compile_program(source)
    assert caught.value.code == ErrorCode.VALIDATION_ERROR
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert set(caught.value.details) == {"line", "column"}


def test_the_place_is_also_given_as_numbers():
    with pytest.raises(OpcodeError) as caught:
        compile_program("inputs.a &&\n  inputs.b = 2")
    assert caught.value.details == {"line": 2, "column": 12}


def test_long_sources_are_shown_around_the_place():
    with pytest.raises(OpcodeError) as caught:
        compile_program(" && ".join(["inputs.a"] * 200) + " = 1 && " + " && ".join(["inputs.a"] * 200))
    assert "»= 1" in caught.value.message
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    "source",
    [
        "inputs.a-inputs.b",
        "inputs.n-1",
        "inputs.xs.map(i, steps.a.n-i)",
        "steps.a - gate",
        "steps['review-gate'].choice",
        "inputs.loop",
        "steps.loop.index",
        "inputs.not",
        "inputs.nullable == null && inputs.info in inputs.index",
        "'a = b and c'",
        "inputs.a // = and or not 'x",
        "[1].map(undefined, undefined)",
    ],
)
def test_what_only_looks_wrong_compiles(source):
    assert compile_program(source)
