"""assert.schema: where a value does not fit, and schemas that would take for ever."""

import time

import pytest

from opcode_assert import actions
from opcode_core import ErrorCode, OpcodeError
from opcode_testkit.actions import call


async def check(schema, data, message: str = ""):
    return await call(actions.schema, {"schema": schema, "data": data, "message": message})


@pytest.mark.parametrize(
    ("schema", "data"),
    [
        ({}, None),
        ({"type": "integer"}, 1.0),
        ({"$ref": "#/$defs/n", "$defs": {"n": {"type": "string"}}}, "a"),
        ({"prefixItems": [{"type": "string"}], "items": {"type": "integer"}}, ["a", 1, 2]),
        ({"pattern": r"^\p{Lu}"}, "Äpfel"),
        ({"pattern": "b"}, "abc"),
        ({"pattern": "b"}, 5),
        ({"uniqueItems": True}, [1, True, "1", [1], {"a": 1}, {"a": True}]),
        ({"patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": False}, {"x-a": 1}),
        ({"properties": {"a": {}}, "additionalProperties": {"type": "null"}}, {"a": 1, "b": None}),
        ({"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False}, {"a": 1}),
    ],
)
async def test_what_fits(schema, data):
    assert await check(schema, data) == {"pass": True}


@pytest.mark.parametrize(
    ("schema", "data", "message"),
    [
        ({"properties": {"n": {"type": "integer"}}}, {"n": "x"}, "at $.n: 'x' is not of type 'integer'"),
        ({"required": ["n"]}, {}, "at $: 'n' is a required property"),
        ({"items": {"minimum": 2}}, [3, 1], "at $[1]: 1 is less than the minimum of 2"),
        ({"pattern": "^b"}, "abc", "at $: 'abc' does not match '^b'"),
        ({"uniqueItems": True}, [{"a": 1}, 2, {"a": 1.0}], "at $: items 0 and 2 are equal"),
        (
            {"patternProperties": {"^x-": {"type": "integer"}}},
            {"x-a": "b"},
            "at $['x-a']: 'b' is not of type",
        ),
        (
            {"patternProperties": {"^x-": {}}, "properties": {"a": {}}, "additionalProperties": False},
            {"a": 1, "x-b": 1, "d": 1, "c": 1},
            "at $: additional properties are not allowed: 'c', 'd'",
        ),
        ({"additionalProperties": {"type": "null"}}, {"a": 1}, "at $.a: 1 is not of type 'null'"),
        ({"unevaluatedProperties": False}, {"a": 1}, "Unevaluated properties are not allowed"),
        ({"not": {}}, 1, "should not be valid under"),
    ],
)
async def test_what_does_not_fit_is_shown_by_path(schema, data, message: str):
    with pytest.raises(OpcodeError) as failed:
        await check(schema, data, "the order")
    assert failed.value.code is ErrorCode.ASSERTION_FAILED
    assert failed.value.message.startswith("the order: at $")
    assert message in failed.value.message
    assert failed.value.details["data"] == data
    assert failed.value.message.startswith(f"the order: at {failed.value.details['path']}: ")


async def test_a_long_message_is_cut():
    with pytest.raises(OpcodeError) as failed:
        await check({"type": "integer"}, "x" * 5000)
    assert len(failed.value.message) < 320


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "nothing"}, "is not a JSON Schema: type: "),
        (
            {"properties": {"a": {"pattern": "(b"}}},
            "properties.a.pattern: '(b' is not a 'regex': missing )",
        ),
        ({"pattern": "^(?=.*[A-Z])"}, "is not a 'regex': invalid perl operator"),
        ({"$ref": "http://127.0.0.1:9/s"}, "refers to 'http://127.0.0.1:9/s', which is not there"),
        ({"$ref": "#/nowhere"}, "which is not there"),
        ({"$ref": "#"}, "refers to itself without end"),
        ({"patternProperties": {"a": {}}, "unevaluatedProperties": False}, "cannot be bounded in time"),
    ],
)
async def test_a_schema_that_cannot_be_used_is_refused_and_nothing_is_fetched(schema, message: str):
    with pytest.raises(OpcodeError) as refused:
        await check(schema, 1)
    assert refused.value.code is ErrorCode.VALIDATION_ERROR
    assert refused.value.message.startswith("'schema' ")
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("schema", "data"),
    [
        ({"pattern": "^(a+)+$"}, "a" * 10_000 + "b"),
        (
            {"patternProperties": {"^(a+)+$": False}, "additionalProperties": {"minimum": 1}},
            {"a" * 10_000 + "b": 0},
        ),
        ({"uniqueItems": True}, [{"a": n} for n in range(20_000)] + [{"a": 0}]),
    ],
)
async def test_schemas_that_would_take_for_ever_take_no_time(schema, data):
    began = time.process_time()
    with pytest.raises(OpcodeError) as failed:
        await check(schema, data)
    assert failed.value.code is ErrorCode.ASSERTION_FAILED
    assert time.process_time() - began < 5
