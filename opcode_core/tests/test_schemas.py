"""Schemas that agents write: right, and in bounded time."""

import time

import pytest

from opcode_core.schemas import Schema

SLOW = {
    "a pattern that backtracks": ({"pattern": "^(a+)+$"}, "a" * 10_000 + "b"),
    "names that backtrack": (
        {"patternProperties": {"^(a+)+$": False}, "additionalProperties": {"minimum": 1}},
        {"a" * 10_000 + "b": 0},
    ),
    "many things to compare": ({"uniqueItems": True}, [{"a": n} for n in range(20_000)] + [{"a": 0}]),
    "alternatives without end": (
        {
            "$ref": "#/$defs/0",
            "$defs": {
                str(i): {"anyOf": [{"$ref": f"#/$defs/{i + 1}"}] * 2} if i < 40 else False for i in range(41)
            },
        },
        1,
    ),
    "a large pattern": ({"pattern": "[ab]*a[ab]{900}c"}, "a" * 500_000),
}


@pytest.mark.parametrize("name", SLOW)
def test_what_would_take_for_ever_takes_no_time(name):
    schema, value = SLOW[name]
    assert Schema(schema).lacks() is None
    began = time.process_time()
    assert len(Schema(schema).issues(value)) == 1
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"pattern": "^(?=.*[A-Z])"}, "pattern: '^(?=.*[A-Z])' is not a 'regex': invalid perl operator"),
        ({"properties": {"a": {"pattern": "(b"}}}, "properties.a.pattern: '(b' is not a 'regex': missing )"),
        ({"patternProperties": {"(": {}}}, "'(' is not a 'regex'"),
        ({"pattern": "a" * 5000}, "it has more than 4,096 characters"),
        (
            {"patternProperties": {"a": {}}, "unevaluatedProperties": False},
            "unevaluatedProperties beside patternProperties cannot be bounded in time",
        ),
        ({"type": "nothing"}, "type: 'nothing' is not valid"),
    ],
)
def test_what_cannot_be_checked_is_refused(schema, why):
    assert why in (Schema(schema).lacks() or "")


@pytest.mark.parametrize(
    ("schema", "fits", "does_not"),
    [
        ({"pattern": r"^\p{Lu}\w+$"}, "Äpfel", "äpfel"),
        ({"uniqueItems": True}, [1, True, "1", [1], {"a": 1}], [1, 1.0]),
        ({"patternProperties": {"^x-": {}}, "additionalProperties": False}, {"x-a": 1}, {"y": 1}),
        ({"properties": {"a": {}}, "additionalProperties": {"type": "null"}}, {"a": 1, "b": None}, {"b": 1}),
    ],
)
def test_the_keywords_mean_what_they_mean(schema, fits, does_not):
    assert Schema(schema).issues(fits) == []
    assert len(Schema(schema).issues(does_not)) == 1


def test_a_pattern_of_an_action_that_cannot_be_read_here_is_left_to_the_action():
    assert Schema({"properties": {"a": {"pattern": "(?=x)"}}}).issues({"a": "y"}) == []
