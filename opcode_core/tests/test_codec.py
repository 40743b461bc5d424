"""JSON, strict both ways."""

import math
from datetime import UTC, datetime
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcode_core import dumps, loads

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_what_is_written_is_read_back_as_it_was(value):
    assert loads(dumps(value)) == value


@pytest.mark.parametrize("value", ["a\ud800b", ["\udfff"], {"\ud83d": 1}, "\x00", '"}}${{'])
def test_odd_texts_survive(value):
    assert loads(dumps(value)) == value


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        [None, math.inf],
        {"a": {"b": -math.inf}, "c": None},
        {1: 2},
        {1, 2},
        b"x",
        object(),
        datetime(2026, 1, 1, tzinfo=UTC),
        2**70,
        ["\ud800", {1: 2}.keys()],
        ["\ud800", math.nan],
    ],
)
def test_what_is_no_json_is_refused(value):
    with pytest.raises(ValueError, match=".+"):
        dumps(value)


def test_what_contains_itself_is_refused():
    loop: list = []
    loop.append(loop)
    with pytest.raises(ValueError, match="contains itself"):
        dumps(loop)


def test_null_alone_is_fine():
    assert dumps({"a": None, "b": 1.5}) == b'{"a":null,"b":1.5}'


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "{", "", "[" * 100_000, b"\xff"])
def test_what_is_no_json_is_not_read(text):
    with pytest.raises(ValueError, match=".*"):
        loads(text)


@pytest.mark.parametrize("value", [{"\ud800": 1, 1: 2}, {"a": "\ud800", "n": 2**70}, ["\ud800", {1}]])
def test_half_a_surrogate_pair_makes_nothing_else_laxer(value):
    with pytest.raises(ValueError):
        dumps(value)
