"""Assertions pass quietly and fail with what was expected, what was there, and where."""

import time

import pytest

from opcode_assert import actions
from opcode_core import ErrorCode, OpcodeError


def call(action, **params):
    return action.call(params, None)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (1, 1.0),
        (None, None),
        ("a", "a"),
        ([1, {"a": 2}], [1.0, {"a": 2}]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ([], []),
    ],
)
def test_equal_values_pass(expected, actual):
    assert call(actions.equals, expected=expected, actual=actual) == {"pass": True}


@pytest.mark.parametrize(
    ("expected", "actual", "message"),
    [
        (1, 2, "expected 1, got 2"),
        (True, 1, "expected true, got 1"),
        (0, False, "expected 0, got false"),
        ("1", 1, 'expected "1", got 1'),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, "expected 2, got 3 at $.a.b[1]"),
        ({"a": 1}, {}, "expected 1, got nothing at $.a"),
        ({}, {"a": 1}, "expected nothing, got 1 at $.a"),
        ([1, 2], [1], "expected 2, got nothing at $[1]"),
        ([1], [1, 2], "expected nothing, got 2 at $[1]"),
        ({"a": 1, "b": 2}, {"a": 2, "c": 2}, "expected 2, got nothing at $.b"),
        (
            {"review-gate": {"a b": None}},
            {"review-gate": {"a b": 0}},
            'expected null, got 0 at $.review-gate["a b"]',
        ),
        ({"a": 1}, [1], 'expected {"a": 1}, got [1]'),
    ],
)
def test_different_values_fail_where_they_first_differ(expected, actual, message):
    with pytest.raises(OpcodeError) as failed:
        call(actions.equals, expected=expected, actual=actual, message="totals")
    assert failed.value.code is ErrorCode.ASSERTION_FAILED
    assert failed.value.message == f"totals: {message}"
    details = failed.value.details
    assert (details["expected"], details["actual"]) == (expected, actual)
    assert details["path"] == (message.split(" at ")[1] if " at " in message else "$")


def test_long_values_are_cut_in_the_message_and_whole_in_the_details():
    with pytest.raises(OpcodeError) as failed:
        call(actions.equals, expected="x" * 500, actual="y")
    assert len(failed.value.message) < 120
    assert failed.value.details["expected"] == "x" * 500


def test_assert_equal_is_the_same_action():
    assert actions.equals.aliases == ("assert.equal",)


@pytest.mark.parametrize(
    ("haystack", "needle"),
    [("hello", "ell"), ([1, {"a": 1}], {"a": 1.0}), ({"key": 1}, "key"), ([None], None)],
)
def test_contains(haystack, needle):
    assert call(actions.contains, haystack=haystack, needle=needle) == {"pass": True}


@pytest.mark.parametrize(
    ("haystack", "needle", "message"),
    [
        ("hello", "x", '"hello" does not contain "x"'),
        ("1", 1, "a text contains only texts, not 1"),
        ([1], True, "does not contain true"),
        ({"key": 1}, "value", 'does not contain "value"'),
        (5, 5, "5 is no text, list or object, so it contains nothing"),
    ],
)
def test_does_not_contain(haystack, needle, message):
    with pytest.raises(OpcodeError, match=message) as failed:
        call(actions.contains, haystack=haystack, needle=needle)
    assert failed.value.code is ErrorCode.ASSERTION_FAILED


def test_a_match_gives_its_groups():
    made = call(actions.matches, value="order A-17 paid", pattern=r"(\w)-(\d+)( x)?")
    assert made == {"pass": True, "matches": ["A-17", "A", "17", None]}


def test_no_match_fails_and_a_bad_pattern_is_refused():
    with pytest.raises(OpcodeError, match='"abc" does not match "\\^b"') as failed:
        call(actions.matches, value="abc", pattern="^b")
    assert failed.value.code is ErrorCode.ASSERTION_FAILED
    with pytest.raises(OpcodeError, match="is not a regular expression: missing") as refused:
        call(actions.matches, value="abc", pattern="(a")
    assert refused.value.code is ErrorCode.VALIDATION_ERROR


def test_a_pattern_that_would_backtrack_for_ever_takes_no_time():
    began = time.process_time()
    with pytest.raises(OpcodeError, match="does not match"):
        call(actions.matches, value="a" * 50_000 + "b", pattern="^(a+)+$")
    assert time.process_time() - began < 5


@pytest.mark.parametrize("pattern", [r"(?=a)b", r"(a)\1", "a\ud800"])
def test_what_re2_lacks_is_refused(pattern: str):
    with pytest.raises(OpcodeError, match="'pattern' .* is not a regular expression: ") as refused:
        call(actions.matches, value="abc", pattern=pattern)
    assert refused.value.code is ErrorCode.VALIDATION_ERROR


def test_a_large_pattern_over_a_long_text_is_refused_at_once():
    with pytest.raises(OpcodeError, match="the text has 500,000 characters, and this pattern takes at most"):
        call(actions.matches, value="a" * 500_000, pattern="[ab]*a[ab]{900}c")
    assert call(actions.matches, value="x" * 5_000_000 + "y", pattern="x(y)$")["matches"] == ["xy", "y"]


def test_half_a_surrogate_pair_is_no_text():
    with pytest.raises(OpcodeError, match="half a character"):
        call(actions.matches, value="a\ud800", pattern="a")


def test_very_deep_values_are_compared():
    left: list = []
    right: list = [1]
    for _ in range(250):
        left, right = [left], [right]
    with pytest.raises(OpcodeError, match="expected nothing, got 1 at"):
        call(actions.equals, expected=left, actual=right)


@pytest.mark.parametrize("value", [1, "a", [0], {"a": None}, True])
def test_truthy(value):
    assert call(actions.truthy, value=value) == {"pass": True}


@pytest.mark.parametrize("value", [0, 0.0, "", [], {}, None, False])
def test_not_truthy(value):
    with pytest.raises(OpcodeError, match="is not truthy") as failed:
        call(actions.truthy, value=value)
    assert failed.value.code is ErrorCode.ASSERTION_FAILED
