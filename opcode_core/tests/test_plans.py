"""From a definition to a plan: order, fallbacks, policies, schemas."""

import pytest

from opcode_core import action
from opcode_core.graph import build_graph, find_cycle
from opcode_core.schemas import Schema
from opcode_core.tests.model_bench import plan, step

FALLBACK = {"strategy": "fallback_step", "fallback_step": "f"}


def test_children_waits_and_leaves():
    made = plan(
        step("a"),
        step("b", depends_on=["a"]),
        step("c", depends_on=["a"]),
        step("d", depends_on=["b", "c", "b"]),
    )
    assert made.children == ((1, 2), (3,), (3,), ())
    assert made.waits == (0, 1, 1, 2)
    assert made.leaves == ("d",)


def test_a_fallback_waits_for_its_owner_and_the_owner_s_dependents_for_it():
    made = plan(step("a", on_error=FALLBACK), step("f"), step("x", depends_on=["a"]))
    assert made.waits == (0, 1, 2)
    assert made.owners == {1: (0,)}


def test_a_fallback_of_a_fallback_is_waited_for_too():
    steps = [
        step("a", on_error=FALLBACK),
        step("f", on_error={"strategy": "fallback_step", "fallback_step": "g"}),
        step("g"),
        step("x", depends_on=["a"]),
    ]
    assert plan(*steps).waits == (0, 1, 1, 3)


def test_a_fallback_with_two_owners_waits_for_both():
    made = plan(step("a", on_error=FALLBACK), step("b", on_error=FALLBACK), step("f"))
    assert made.owners == {2: (0, 1)}
    assert made.waits[2] == 2


def test_what_is_earlier_is_known_through_others():
    made = plan(step("a"), step("b", depends_on=["a"]), step("c", depends_on=["b"]))
    assert build_graph(made.definition.steps).earlier() == [0b000, 0b001, 0b011]


@pytest.mark.parametrize(
    ("waits", "cycle"),
    [
        ([[], [0], [0, 1]], None),
        ([[0]], [0, 0]),
        ([[1], [0]], [0, 1, 0]),
        ([[], [2], [3], [1]], [1, 3, 2, 1]),
    ],
)
def test_cycles(waits, cycle):
    assert find_cycle(waits) == cycle


@pytest.mark.parametrize(
    ("fields", "policy"),
    [
        ({}, (0, "none", 0.0)),
        ({"retry": {}}, (3, "none", 0.0)),
        ({"retry": {"max": 5, "delay": "2s"}}, (5, "constant", 2.0)),
        ({"retry": {"backoff": "linear", "delay": "1s"}}, (3, "linear", 1.0)),
        ({"on_error": {"strategy": "retry"}}, (3, "exponential", 1.0)),
        ({"on_error": {"strategy": "retry"}, "retry": {"max": 1}}, (1, "none", 0.0)),
    ],
)
def test_retry_policies(fields, policy):
    made = plan(step(**fields)).steps[0].retry
    assert (made.max, made.backoff, made.delay) == policy


def test_what_is_done_at_once():
    quick, slow, timed = plan(step("a"), {"id": "b", "action": "t.slow"}, step("c", timeout="1s")).steps
    assert (quick.at_once, slow.at_once, timed.at_once) == (True, False, False)


def test_params_with_templates_are_checked_at_the_call():
    static, rendered = plan(
        {"id": "a", "action": "t.typed", "params": {"text": "x"}},
        {"id": "b", "action": "t.typed", "params": {"text": "${{inputs.x}}"}},
    ).steps
    assert static.check is None
    assert rendered.check is not None
    assert rendered.check.accepts({"text": "x"})
    assert not rendered.check.accepts({"text": 1})


def test_the_same_definition_has_the_same_hash():
    assert plan(step("a")).hash == plan(step("a")).hash != plan(step("b")).hash


PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "default": 3},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "kind": {"enum": ["a", "b"]},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"name": "x"}, None),
        ({"name": "x", "age": 1, "note": None, "kind": "a", "tags": ["t"]}, None),
        ({}, "p: 'name' is missing"),
        ({"name": 1}, "p.name: should be string, got 1"),
        ({"name": "x", "age": True}, "p.age: should be integer, got True"),
        ({"name": "x", "age": "1"}, "p.age: should be integer"),
        ({"name": "x", "note": 1}, "p.note: should be string or null, got 1"),
        ({"name": "x", "kind": "c"}, "p.kind: 'c' is not allowed (one of a, b)"),
        ({"name": "x", "tags": ["t", 1]}, "p.tags[1]: should be string, got 1"),
        ({"name": "x", "nmae": 1}, "p: unknown param 'nmae' (did you mean 'name'?)"),
        ({"name": "x", "p": 1, "q": 2}, "p: unknown params 'p', 'q'"),
        ([], "p: should be object, got []"),
    ],
)
def test_schemas(value, fault):
    schema = Schema(PERSON)
    found = [str(issue) for issue in schema.issues(value, "p")]
    if isinstance(value, dict):
        assert schema.accepts(value) is (fault is None)
    assert (found == []) if fault is None else any(fault in text for text in found)


def test_other_keywords_say_what_they_want():
    assert "'a' is too short" in str(Schema({"minLength": 3}).issues("a", "p")[0])
    assert not Schema({"type": "object", "minProperties": 1}).accepts({})
    assert Schema({}).issues(object()) == []
    assert Schema(PERSON).with_defaults({"name": "x"}) == {
        "name": "x",
        "age": 3,
        "note": None,
        "kind": None,
        "tags": None,
    }
    assert Schema({"type": "thing"}).lacks()
    assert Schema(PERSON).lacks() is None
    assert Schema({"type": "object", "properties": {"a": True}}).accepts({"a": 1})
    assert Schema({"type": "object", "properties": {"a": {"anyOf": [{"minimum": 3}]}}}).accepts({"a": 5})


def test_an_action_from_a_function():
    @action("x.y", effect="pure", aliases=("x.z",))
    def made(schema: str, copy: int = 2, **more: object) -> dict[str, int]:
        """First line,
        goes on.

        Not this."""
        return {"n": copy, **more}  # type: ignore[dict-item]

    assert made.description == "First line, goes on."
    assert made.params_schema["properties"] == {
        "schema": {"type": "string"},
        "copy": {"type": "integer", "default": 2},
    }
    assert made.params_schema["required"] == ["schema"]
    assert made.params_schema["additionalProperties"] is True
    assert made.output_schema == {"type": "object", "additionalProperties": {"type": "integer"}}
    assert made.call({"schema": "s", "copy": 3, "z": 1}, None) == {"n": 3, "z": 1}
    assert (made.aliases, made.is_async, made.blocking, made.wants_context) == (("x.z",), False, False, False)


def test_functions_that_cannot_be_actions():
    with pytest.raises(TypeError, match="positional-only"):
        action("x.y")(lambda a, /: a)

    class Thing:
        """Has no schema."""

    def odd(value: Thing) -> None: ...

    with pytest.raises(TypeError, match="cannot be described in JSON"):
        action("x.y")(odd)
