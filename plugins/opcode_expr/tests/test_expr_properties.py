"""What holds for any text, any number, any value."""

import json
import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from opcode_core import OpcodeError
from opcode_expr.conversions import float_text
from opcode_expr.program import compile_program

PIECES = st.sampled_from(
    [
        *(
            "1",
            "2.5",
            ".5",
            "0x1F",
            "'a'",
            '"b"',
            "`c`",
            "true",
            "nil",
            "a",
            "items",
            "$env",
            "#",
            "#index",
            "#acc",
        ),
        *(
            "+",
            "-",
            "*",
            "/",
            "%",
            "**",
            "^",
            "==",
            "!=",
            "<",
            ">=",
            "in",
            "not",
            "!",
            "and",
            "||",
            "or",
            "&&",
        ),
        *(
            "..",
            "??",
            "?.",
            "?",
            ":",
            "|",
            ".",
            ",",
            ";",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            "let",
            "=",
            "if",
            "else",
        ),
        *(
            "contains",
            "matches",
            "startsWith",
            "map(",
            "filter(",
            "len(",
            "reduce(",
            "sortBy(",
            "string(",
            "x",
        ),
        *(" ", "\n", "// c\n", "/* c */", "/*", "'", "\\", "é", "\x00", "\ud83d"),
    ]
)
INTS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | INTS | FLOATS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def value(source: str, **data: Any) -> Any:
    return compile_program(source).evaluate({"data": data})


def outcome(source: str) -> None:
    """Compile and evaluate; whatever is wrong is an OpcodeError, and what comes out is JSON."""
    try:
        result = compile_program(source).evaluate({"data": {"a": 1, "items": [{"x": 1}, {"x": 2}]}})
    except OpcodeError as error:
        assert error.message
        return
    json.dumps(result, allow_nan=False)


@given(st.text(max_size=60))
def test_any_text(text: str):
    outcome(text)


@settings(max_examples=400)
@given(st.lists(PIECES, max_size=16))
def test_any_row_of_pieces(pieces: list[str]):
    outcome(" ".join(pieces))
    outcome("".join(pieces))


@given(INTS, INTS)
def test_numbers_are_as_in_go(x: int, y: int):
    for operator, result in (("+", x + y), ("-", x - y), ("*", x * y)):
        if -(2**63) <= result < 2**63:
            assert value(f"x {operator} y", x=x, y=y) == result
        else:
            try:
                value(f"x {operator} y", x=x, y=y)
            except OpcodeError as error:
                assert "at most 64 bits" in error.message
            else:
                raise AssertionError("this does not fit")
    if y:
        assert value("x % y", x=x, y=y) == int(math.copysign(1, x)) * (abs(x) % abs(y))
    assert value("x < y ? -1 : x == y ? 0 : 1", x=x, y=y) == (x > y) - (x < y)


@given(FLOATS)
def test_the_text_of_a_float_is_its_number(number: float):
    assert float(float_text(number)) == number
    assert json.loads(float_text(number, json_style=True)) == number
    assert value("float(string(x)) == x", x=number) is True


@given(INTS)
def test_the_text_of_an_int_is_its_number(number: int):
    assert value("int(string(x))", x=number) == number
    assert value("string(x)", x=number) == str(number)


@given(VALUES)
def test_json_and_back(data: Any):
    assert value("fromJSON(toJSON(x)) == x", x=data) is True
    assert value("x == x", x=data) is True
    assert value("x in [x]", x=data) is True
    assert value("len(uniq([x, x]))", x=data) == 1
    json.dumps(value("{a: x, b: [x], c: string(x), d: type(x)}", x=data))


@given(st.text())
def test_text_there_and_back(text: str):
    assert value("fromBase64(toBase64(x)) == x", x=text) is True
    assert value("join(split(x, ''))", x=text) == text
    assert value("x[:2] + x[2:]", x=text) == text
    assert value("len(x)", x=text) == len(text)
    assert value(json.dumps(text)) == text


@given(st.lists(INTS, max_size=30), st.integers(-40, 40), st.integers(-40, 40))
def test_arrays(items: list[int], first: int, last: int):
    assert value("sort(x)", x=items) == sorted(items)
    assert value("sort(x, 'desc')", x=items) == sorted(items, reverse=True)
    assert value("reverse(reverse(x))", x=items) == items
    assert value("uniq(x)", x=items) == list(dict.fromkeys(items))
    assert value("filter(x, # > 0)", x=items) == [item for item in items if item > 0]
    assert value("sum(map(x, 1))", x=items) == len(items)
    assert value("groupBy(x, # > 0) | values() | flatten() | sort()", x=items) == sorted(items)
    assert value("concat(x[:i], x[i:]) == x", x=items, i=first) is True
    begin, end = (bound + len(items) if bound < 0 else bound for bound in (first, last))
    assert value("x[i:j]", x=items, i=first, j=last) == items[max(begin, 0) : max(end, 0)]
    assert value("x == nil or all(i..j, i <= # <= j)", x=items, i=first, j=last) is True
