"""Where celpy alone is right, by CEL's specification, this engine says the same."""

import sys

import celpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opcode_cel.program import compile_program
from opcode_core import OpcodeError

# One type at a time: across types celpy departs from the specification.
INTS = st.recursive(
    st.integers(-5, 5).map(lambda n: f"({n})")
    | st.sampled_from(["9223372036854775807", "(-9223372036854775807)"]),
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from("+-*/%"), inner),
    max_leaves=5,
)
DOUBLES = st.sampled_from(["0.5", "1.5", "-2.5", "1e10"])
STRINGS = st.sampled_from(["'a'", "'b'", "'ab'", "''", r"'\u00e9'"])
ORDER = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
TESTS = st.one_of(
    *(st.builds("({} {} {})".format, operands, ORDER, operands) for operands in (INTS, DOUBLES, STRINGS)),
    st.builds("{}.{}({})".format, STRINGS, st.sampled_from(["startsWith", "endsWith", "contains"]), STRINGS),
    st.builds("({} in [{}, {}])".format, INTS, INTS, INTS),
    st.builds("[{}, {}].{}(x, x > {})".format, INTS, INTS, st.sampled_from(["all", "exists"]), INTS),
    st.builds("(size({}) == {})".format, STRINGS, INTS),
)
EXPRESSIONS = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["&&", "||"]), inner),
        st.builds("!{}".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
    ),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def environment():
    limit = sys.getrecursionlimit()
    yield celpy.Environment()
    sys.setrecursionlimit(limit)


@settings(max_examples=200, deadline=None)
@given(source=EXPRESSIONS | INTS)
def test_same_answer_or_both_an_error(environment, source):
    try:
        expected = environment.program(environment.compile(source)).evaluate({})
    except celpy.CELEvalError:
        with pytest.raises(OpcodeError):
            compile_program(source).evaluate({})
    else:
        assert compile_program(source).evaluate({}) == expected
