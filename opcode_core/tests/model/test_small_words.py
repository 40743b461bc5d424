"""Errors, durations, JSON, schemas and suggestions: what they promise at the edges."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import opcode_core
from opcode_core import ErrorCode, OpcodeError, dumps, format_duration, loads, parse_duration
from opcode_core.schemas import Schema
from opcode_core.suggestions import available, did_you_mean

NEVER = [
    "VALIDATION_ERROR",
    "NOT_FOUND",
    "CONFLICT",
    "INVALID_TRANSITION",
    "CYCLE_DETECTED",
    "NON_RETRYABLE",
    "PERMISSION_DENIED",
    "CIRCUIT_OPEN",
    "ASSERTION_FAILED",
    "PATH_DENIED",
]
AGAIN = [
    "EXECUTION_ERROR",
    "TIMEOUT_ERROR",
    "STEP_FAILED",
    "CANCELLED",
    "SIGNAL_FAILED",
    "RETRY_EXHAUSTED",
    "STORE_ERROR",
    "INTERPOLATION_ERROR",
    "ACTION_UNAVAILABLE",
    "ISOLATION_ERROR",
    "VAULT_ERROR",
]


def test_the_codes_are_those_of_the_specification_and_say_whether_to_try_again():
    assert {code.value: OpcodeError(code, "x").retryable for code in ErrorCode} == {
        **dict.fromkeys(NEVER, False),
        **dict.fromkeys(AGAIN, True),
    }


def test_an_error_goes_over_the_wire_and_back():
    error = OpcodeError(ErrorCode.TIMEOUT_ERROR, "too slow", details={"after": 3}, step_id="a.true.b")
    wire = error.to_dict()
    assert wire == {
        "code": "TIMEOUT_ERROR",
        "message": "too slow",
        "details": {"after": 3},
        "step_id": "a.true.b",
    }
    assert OpcodeError.from_dict(json.loads(json.dumps(wire))).to_dict() == wire
    assert OpcodeError.from_dict({"code": "CONFLICT", "message": "x"}).to_dict()["details"] == {}
    assert str(error) == "TIMEOUT_ERROR: too slow"


def test_an_error_s_details_are_its_own():
    given_details = {"a": 1}
    OpcodeError(ErrorCode.CONFLICT, "x", details=given_details).details["b"] = 2
    assert given_details == {"a": 1}


@pytest.mark.parametrize(
    ("value", "why"), [(10**400, "hundred years"), (-(10**400), "negative"), ("9" * 400 + "s", "infinite")]
)
def test_no_number_is_too_large_to_be_refused_as_a_duration(value: Any, why: str):
    with pytest.raises(ValueError, match=why):
        parse_duration(value)


@given(st.integers(0, 10**9) | st.floats(0, 1e9))
def test_a_short_form_can_be_read_again_and_is_near(seconds: float):
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=0.06, abs=0.0006)


@given(
    st.text(max_size=12) | st.none() | st.booleans() | st.integers() | st.floats() | st.lists(st.integers())
)
def test_whatever_is_no_duration_is_a_value_error(value: Any):
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        assert str(error)
    else:
        assert isinstance(seconds, float)
        assert 0 <= seconds <= 100 * 365 * 86400


@pytest.mark.parametrize("text", ["1e999", "-1e999", '{"a": [1e400]}', "1.8e308", "9" * 5000])
def test_a_number_that_is_too_large_for_json_is_refused_and_never_infinite(text: str):
    with pytest.raises(ValueError, match=r"too large a number|Exceeds the limit"):
        loads(text)


@pytest.mark.parametrize(("text", "value"), [("1.7e308", 1.7e308), ("-0.0", -0.0), ('"\\ud800"', "\ud800")])
def test_the_last_number_that_fits_is_read(text: str, value: Any):
    assert loads(text) == value
    assert loads(text.encode()) == value


def test_lone_surrogates_are_written_beside_anything_else_and_the_rest_is_still_refused():
    assert loads(dumps({"\ud800": [None, True, 1.5, "ü"]})) == {"\ud800": [None, True, 1.5, "ü"]}
    looped: list[Any] = ["\ud800"]
    looped.append(looped)
    for wrong in ({"\ud800": {1}}, looped):
        with pytest.raises(ValueError, match=r".+"):
            dumps(wrong)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"$ref": "#/nope"}, "p: its schema refers to '/nope', which is not there"),
        (
            {"$ref": "http://127.0.0.1:9/x.json"},
            "p: its schema refers to 'http://127.0.0.1:9/x.json', which is not",
        ),
        ({"$ref": "#"}, "p: its schema refers to itself without end"),
        ({"oneOf": [{"type": "string"}, {"const": 5}]}, "p: should be string or …, got {}"),
        ({"enum": ["aa", "bb"]}, "p: {} is not allowed (one of aa, bb)"),
        ({"minProperties": 1}, "p: {} should be non-empty"),
        ({"type": ["string", "null"]}, "p: should be string or null, got {}"),
        (False, "p: False schema does not allow {}"),
    ],
)
def test_a_schema_says_what_is_wrong_and_never_raises_or_fetches(schema: Any, said: str):
    (issue,) = Schema(schema if schema is not False else {"allOf": [False]}).issues({}, "p")
    assert str(issue).startswith(said)


def test_a_long_fault_is_cut():
    (issue,) = Schema({"minLength": 2000}).issues("x" * 1000)
    assert len(issue.message) == 301


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        ({"type": "object", "properties": {"n": {"type": "integer"}}}, {"n": 1.0}, True),
        ({"type": "object", "properties": {"n": {"type": "integer"}}}, {"n": True}, False),
        ({"type": "object", "properties": {"n": {"type": "number"}}}, {"n": 1}, True),
        ({"type": "object", "properties": {"n": {"type": "thing"}}}, {"m": 1}, True),
        ({"type": "object", "properties": {"n": {"type": ["string", "null"]}}}, {"n": None}, True),
        (
            {"type": "object", "properties": {"n": {"type": "object", "additionalProperties": False}}},
            {"n": {"a": 1}},
            False,
        ),
        ({"type": "object", "properties": {"n": {"anyOf": [{"type": "string"}, {}]}}}, {"n": 5}, True),
        ({"type": "object", "required": ["n"]}, {}, False),
        ({}, {"any": 1}, True),
    ],
)
def test_a_glance_and_the_whole_validator_agree(schema: Any, value: Any, fits: bool):
    assert Schema(schema).accepts(value) is fits


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("depend_on", ["id", "depends_on"], "did you mean 'depends_on'?"),
        ("zzz", ["id"], ""),
        ("id", ["id"], ""),
        ("x", [], ""),
    ],
)
def test_the_nearest_word(word: str, known: list[str], hint: str):
    assert did_you_mean(word, known) == hint


def test_the_nearest_of_a_million_words_takes_no_longer_than_that_of_a_thousand():
    began = time.perf_counter()
    did_you_mean("step-12x", (f"step-{i}" for i in range(1_000_000)))
    assert time.perf_counter() - began < 2


def test_what_is_there_is_listed_up_to_a_point():
    assert available([]) == "it has none"
    assert available(["a", "b"]) == "it has: a, b"
    assert available(map(str, range(14))).endswith("11 and 2 more")


def test_the_public_face_gives_every_name_it_lists_and_no_other():
    for name in opcode_core.__all__:
        assert getattr(opcode_core, name) is getattr(opcode_core, name)
    with pytest.raises(AttributeError, match="module 'opcode_core' has no attribute 'nothing'"):
        opcode_core.nothing  # noqa: B018
