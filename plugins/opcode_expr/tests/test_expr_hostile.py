"""Expressions written to do harm: each ends within its bounds, with a value or an error that a person can read."""

import json
import time
from typing import Any

import pytest

from opcode_core import ErrorCode, OpcodeError, StepView
from opcode_expr.program import ExprProgram, compile_program

TEXT = "x" * 100_000
SCOPE: dict[str, Any] = {
    "inputs": {
        "n": 5,
        "s": TEXT,
        "a": f"{TEXT}a",
        "xs": list(range(3000)),
        "rows": [{"id": i, "name": f"n{i % 7}", "rest": list(range(20))} for i in range(3000)],
        "m": {f"k{i}": i for i in range(20_000)},
        "small": {"a": 1},
    },
    "steps": {"a": StepView({"x": 1}, "completed", None)},
    "data": [1, 2, 3],
}
INSIDES = ("object at", "Tree(", "Token(", "Traceback", "lark", "<class", "<function", "0x7f", "opcode_expr")
SLACK = 2.0
"""Seconds of processor time over the limit: one step of the work, on a machine that does other work too."""


def ended(source: str) -> Any:
    """The value, or the OpcodeError, which came in time and says nothing of the inside."""
    began = time.thread_time()
    try:
        return compile_program(source).evaluate(SCOPE)
    except OpcodeError as error:
        assert error.code in {ErrorCode.EXECUTION_ERROR, ErrorCode.VALIDATION_ERROR}
        assert 10 < len(error.message) <= 2000
        assert "\n" not in error.message
        assert not any(word in error.message for word in INSIDES), error.message
        return error
    finally:
        assert time.thread_time() - began < SLACK


def refused(source: str) -> str:
    """The message of the error that it ends with."""
    error = ended(source)
    assert isinstance(error, OpcodeError), f"gave {str(error)[:60]}"
    return error.message


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A fifth of the time, so that all of these do not take minutes."""
    monkeypatch.setattr(ExprProgram.evaluate, "__defaults__", (0.2,))


REACHING = [
    *(
        f"{what}.{name}"
        for what in ("inputs", "steps", "data", "''", "1", "steps.a", "[1][0]", "{a: 1}", "(1..2)", "nil")
        for name in ("__class__", "__globals__", "__dict__", "__init__", "__subclasses__")
    ),
    *(f"{what}['__class__'].__mro__" for what in ("inputs", "steps", "steps.a")),
    *(
        f"{name}('os')"
        for name in ("__import__", "import", "eval", "exec", "open", "compile", "getattr", "vars")
    ),
    *(
        f"{name}()"
        for name in ("globals", "locals", "dir", "exit", "quit", "input", "breakpoint", "memoryview")
    ),
    *(f"{name}" for name in ("self", "cls", "__builtins__", "__name__", "os", "sys", "builtins", "env")),
    *(f"$env['{name}']" for name in ("PATH", "HOME", "OPCODE_VAULT_KEY", "__builtins__")),
    "get(inputs, '__class__')",
    "get(steps.a, '__slots__')",
    "'{0.__class__}'.format(1)",
    "'%s' % inputs",
    "f'{inputs}'",
    "inputs.items()",
    "inputs.small.keys()",
    "inputs.small.pop('a')",
    "inputs.small.a = 2",
    "data.append(4)",
    "lambda: 1",
    "x := 1",
    "import os",
    "import os; os",
    "del inputs",
    "`{{7*7}}`.__class__",
    "now()",
    "date('2020-01-01')",
    "secrets.TOKEN",
    "$secrets",
]


@pytest.mark.parametrize("source", REACHING)
def test_nothing_but_the_data_is_reached(source):
    result = ended(source)
    assert isinstance(result, OpcodeError) or result is None, f"gave {str(result)[:80]}"
    assert SCOPE["data"] == [1, 2, 3]
    assert SCOPE["inputs"]["small"] == {"a": 1}


RUNAWAYS = [
    *(f"{size}..{size * 2}" for size in (10**8, 10**10, 10**18)),
    "1..9223372036854775807",
    "map(1..1000000, {map(1..1000000, {#})})",
    "map(inputs.xs, {map(inputs.xs, {map(inputs.xs, {#})})})",
    "all(inputs.xs, {all(inputs.xs, {all(inputs.xs, {true})})})",
    "count(inputs.rows, {count(inputs.rows, {count(inputs.rows, {.id > 0}) > 0}) > 0})",
    "reduce(1..10000000, {#acc + #}, 0)",
    "reduce(1..64, {#acc + #acc}, 'x')",
    "reduce(1..64, {concat(#acc, #acc)}, [1])",
    "reduce(1..64, {[#acc, #acc]}, [1]) | flatten() | len()",
    "reduce(1..40, {{a: #acc, b: #acc}}, 1) | toJSON()",
    "repeat('x', 1000000000)",
    "repeat(repeat('x', 10000), 10000)",
    "repeat('x', 9223372036854775807)",
    "repeat('é', 20000000)",
    "map(1..100000, {repeat('x', 10000)}) | len()",
    "join(map(1..100000, {inputs.s}), '')",
    "replace(inputs.s, 'x', inputs.s)",
    "replace(inputs.s, '', inputs.s)",
    "split(repeat(inputs.s, 300), '')",
    "toJSON(map(1..1000, {inputs.rows}))",
    "toBase64(repeat(inputs.s, 300))",
    "string(map(1..1000, {inputs.rows}))",
    "uniq(map(1..5000, {[#]}))[:1] | map(map(1..100000, {#}))",
    "uniq(map(1..30000, {{a: #}}))",
    "groupBy(1..10000000, {#})",
    "sortBy(1..10000000, {-#})",
    "sort(map(1..10000000, {-#}))",
    "filter(1..10000000, {# % 2 == 0})",
    "flatten(map(1..3000, {inputs.xs}))",
    "concat(" + ", ".join(["1..400000"] * 40) + ")",
    "fromPairs(map(1..10000000, {[string(#), #]}))",
    "toPairs(inputs.m) | map(toPairs(inputs.m)) | len()",
    "keys(inputs.m) | map(keys(inputs.m)) | map(len(#)) | sum() > 0 ? keys(inputs.m) | map(values(inputs.m)) : 0",
    "reverse(1..100000000)",
    "last(1..100000000)",
    "take(1..100000000, 99999999)",
    "mean(1..100000000)",
    "median(map(1..10000000, {#}))",
    "max(1..100000000)",
    "sum(1..100000000)",
    "any(1..100000000, {# < 0})",
    "none(1..100000000, {# < 0})",
    "one(1..100000000, {# == -1})",
    "findIndex(1..100000000, {# == -1})",
    "find(1..100000000, {# == -1})",
    "let a = 1..4000000; let b = map(a, {#}); let c = map(b, {#}); len(c)",
    "map(1..1000000, {inputs.s contains 'xxxxxxxxxxxxxxxxxxxxxxy'})",
    "count(1..100000, {inputs.s matches '(x+x+)+y'}) > 0",
    "count(1..100000, {lastIndexOf(inputs.a, 'xa') > 5}) > 0",
    "map(1..1000000, {upper(inputs.s)}) | len()",
]


@pytest.mark.parametrize("source", RUNAWAYS)
def test_a_runaway_is_stopped(source):
    message = refused(source)
    assert any(
        words in message for words in ("took too long", "makes too much", "at most", "too large", "too many")
    )


BACKTRACKING = [
    "(x+)+y",
    "(x|x)*y",
    "(x|xx)+y",
    "(.*)*y",
    "((x*)*)*y",
    "(x+x+)+y",
    "([a-z]+)*[0-9]",
    "^(([a-z])+.)+[A-Z]([a-z])+$",
    "(x*)*(x*)*(x*)*y",
    "x*" * 200 + "y",
    "(?:x?){200}x{200}y",
    "(x{1,1000}){1,1000}",
    "(x{1000}){1000}",
    "((((x{100}){100}){100}){100})",
    "(?=x+)y",
    "(?<=x)y",
    "(x)\\\\1+y",
    "(?P<n>x+)+(?P=n)",
    "[",
    "(",
    "*",
    "\\\\",
    "(?P<",
    "x{2,1}",
    "[z-a]",
    "\\\\p{Nope}",
]


@pytest.mark.parametrize("pattern", BACKTRACKING)
def test_a_pattern_takes_time_in_proportion(pattern):
    result = ended(f"inputs.s matches '{pattern}'")
    assert isinstance(result, bool | OpcodeError)


@pytest.mark.parametrize(("text", "pattern"), [("ax" * 500_000, "(a|x)*a(a|x){900}!"), ("\ud800", "a")])
def test_what_no_pattern_takes(text, pattern):
    began = time.thread_time()
    with pytest.raises(OpcodeError, match="this pattern takes at most|half a character") as caught:
        compile_program(f"data matches '{pattern}'").evaluate({"data": text})
    assert caught.value.code is ErrorCode.EXECUTION_ERROR
    assert time.thread_time() - began < SLACK


NESTED = {
    "groups": ("(", "1", ")"),
    "arrays": ("[", "1", "]"),
    "maps": ("{a: ", "1", "}"),
    "not": ("!", "true", ""),
    "not as a word": ("not ", "true", ""),
    "minus": ("-", "1", ""),
    "sums": ("1 + (", "1", ")"),
    "powers": ("2 ** (", "1", ")"),
    "conditions": ("true ? 1 : (", "1", ")"),
    "elvis": ("nil ?? (", "1", ")"),
    "calls": ("abs(", "1", ")"),
    "closures": ("map([1], {", "1", "})"),
    "filters": ("filter([1], {", "true", "} == [])"),
    "lets": ("let a = (", "1", "); a"),
    "indexes": ("[1][", "0", "]"),
    "pipes": ("(", "1", " | string())"),
    "ifs": ("if true {", "1", "} else { 2 }"),
}


@pytest.mark.parametrize("depth", [20, 500, 5000])
@pytest.mark.parametrize("kind", NESTED)
def test_depth_is_bounded(kind, depth):
    opening, inside, closing = NESTED[kind]
    source = opening * depth + inside + closing * depth
    if depth > 100:
        refused(source)
    else:
        ended(source)


LONG = {
    "a sum": "1" + " + 1" * 15_000,
    "a chain of members": "inputs" + ".a" * 20_000,
    "optional members": "inputs" + "?.a" * 15_000,
    "indexes": "data" + "[0]" * 15_000,
    "pipes": "data" + " | reverse()" * 4000,
    "lets": "".join(f"let v{n} = {n}; " for n in range(3000)) + "1",
    "an array": f"[{','.join(['1'] * 30_000)}]",
    "a map": "{" + ",".join(f"k{n}: 1" for n in range(7000)) + "}",
    "conditions": "true ? 1 : " * 5000 + "2",
    "comparisons": "1" + " == 1" * 10_000,
    "logic": "true" + " && true" * 7000,
    "a number": "9" * 60_000,
    "an exponent": "1e" + "9" * 1000,
    "a text": "'" + "x" * 65_000 + "'",
    "an endless text": "'" + "x" * 1000,
    "brackets only": "((((((((((",
    "operators only": "+ - * / ** %",
    "a comment": "/* " + "x" * 1000,
    "blanks": " " * 60_000 + "1",
    "over the limit": " " * 70_000 + "1",
    "nothing": "",
    "a NUL": "1 \0 + 1",
    "half a surrogate pair": "'\ud800'",
    "an escape of half a pair": "'\\ud800'",
    "a wrong escape": "'\\q\\x'",
    "letters that look alike": "іnputs.n",
    "right to left": "\u202e1 + 1",
}


@pytest.mark.parametrize("kind", LONG)
def test_long_and_broken_sources(kind):
    result = ended(LONG[kind])
    assert isinstance(result, OpcodeError) or json.dumps(result) is not None


ARITHMETIC = [
    "9223372036854775807 + 1",
    "-9223372036854775807 - 2",
    "9223372036854775807 * 9223372036854775807",
    "2 ** 100000",
    "2 ** 2 ** 2 ** 2 ** 2 ** 2",
    "10 ** 400",
    "1 / 0",
    "1 % 0",
    "1.5 % 0.0",
    "0.0 / 0.0",
    "-1 ** 0.5",
    "bitshl(1, 100000000)",
    "bitshl(1, -1)",
    "int(1e300)",
    "int('9' + repeat('9', 5000))",
    "int(repeat('9', 1000000))",
    "float(repeat('9', 1000000))",
    "fromJSON(repeat('[', 100000))",
    "fromJSON(repeat('9', 1000000))",
    "fromJSON('{\"a\": 1e999}')",
    "fromJSON('NaN')",
    "fromBase64('!')",
    "fromBase64('/w==')",
    "split('a', '', -9223372036854775807)",
    "take([1], -1)",
    "[1][9223372036854775807]",
    "[1][-9223372036854775807]",
    "'abc'[-100:100]",
    "data[1.5]",
    "data['x']",
    "{(data): 1}",
    "{(nil): 1}",
    "sum(['a'])",
    "sort([1, 'a', nil])",
    "max('a', [])",
    "mean([nil])",
    "reduce([], {#})",
    "# + 1",
    ".name",
    "#acc",
    "map(data, #)",
    "let inputs = 1; inputs",
    "let map = 1; map(data, {#})",
]


@pytest.mark.parametrize("source", ARITHMETIC)
def test_odd_values_give_a_value_or_a_clear_error(source):
    result = ended(source)
    if not isinstance(result, OpcodeError):
        json.dumps(result, allow_nan=False)


def test_there_are_enough_of_them():
    patterns = len(BACKTRACKING) + len(ARITHMETIC) + len(LONG) + 3 * len(NESTED)
    assert len(REACHING) + len(RUNAWAYS) + patterns >= 200
