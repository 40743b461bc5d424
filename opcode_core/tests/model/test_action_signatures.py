"""A function's signature is its action's schema, or it is refused where it is written."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from opcode_core import ActionContext, action
from opcode_core.schemas import Schema


def test_annotations_defaults_and_descriptions_become_the_schema():
    @action("t.all", effect="idempotent")
    def made(
        text: str,
        count: Annotated[int, Field(ge=1, description="how many")] = 3,
        kind: Literal["a", "b"] = "a",
        tags: list[str] | None = None,
        anything: Any = None,
    ) -> dict[str, Any]:
        """Does it."""
        return {}

    properties = made.params_schema["properties"]
    assert made.params_schema["required"] == ["text"]
    assert made.params_schema["additionalProperties"] is False
    assert properties["count"] == {"type": "integer", "minimum": 1, "description": "how many", "default": 3}
    assert properties["kind"] == {"enum": ["a", "b"], "type": "string", "default": "a"}
    assert properties["anything"] == {"default": None}
    assert made.output_schema == {"type": "object", "additionalProperties": True}
    assert (made.description, made.effect) == ("Does it.", "idempotent")


@pytest.mark.parametrize(
    ("params", "fault"),
    [
        ({"n": 0}, "n: 0 is less than the minimum of 1"),
        ({"n": 1, "kind": "c"}, "kind: 'c' is not allowed (one of a, b)"),
        ({"n": 1, "kin": "a"}, "unknown param 'kin' (did you mean 'kind'?)"),
        ({}, "'n' is missing"),
    ],
)
def test_what_the_schema_forbids_is_told_in_words(params: dict[str, Any], fault: str):
    @action("t.some")
    def made(n: Annotated[int, Field(ge=1)], kind: Literal["a", "b"] = "a") -> None: ...

    assert [str(issue) for issue in Schema(made.params_schema).issues(params)] == [fault]


def test_a_context_is_given_and_is_no_param():
    @action("t.context")
    def made(ctx: ActionContext, n: int = 1, **more: Any) -> Any:
        return [ctx, n, more]

    assert set(made.params_schema["properties"]) == {"n"}
    assert made.wants_context
    given: Any = object()
    assert made.call({"n": 2, "x": 3}, given) == [given, 2, {"x": 3}]


async def test_an_async_function_is_an_async_action():
    @action("t.async", blocking=False)
    async def made(n: int) -> int:
        return n

    assert made.is_async
    assert await made.call({"n": 5}, None) == 5


def test_the_cautious_effect_is_the_default_and_no_docstring_is_no_description():
    @action("t.bare")
    def made(): ...

    assert (made.effect, made.description, made.output_schema) == ("external", "", {})
    assert made.params_schema == {"type": "object", "properties": {}, "additionalProperties": False}


def test_an_output_may_be_declared_apart():
    @action("t.out", output=dict[str, int])
    def made() -> Any: ...

    assert made.output_schema["additionalProperties"] == {"type": "integer"}


class Thing:
    """Has no schema."""


def positional(a: int, /) -> None: ...
def starred(*names: str) -> None: ...
def unreadable(a: "NoSuchType") -> None: ...  # type: ignore[name-defined] # noqa: F821
def undescribable(a: Thing) -> None: ...
def undescribable_output() -> Thing: ...  # type: ignore[empty-body]


@pytest.mark.parametrize(
    ("function", "fault"),
    [
        (positional, r"positional: params are passed by name, so \['a'\] cannot be positional-only"),
        (starred, r"starred: params are passed by name, so \['names'\] cannot be"),
        (unreadable, "unreadable: an annotation cannot be read: name 'NoSuchType' is not defined"),
        (undescribable, "the params of action 't.x' cannot be described in JSON"),
        (undescribable_output, "the output of action 't.x' cannot be described in JSON"),
    ],
)
def test_a_signature_that_cannot_be_json_is_refused_when_it_is_written(function: Any, fault: str):
    with pytest.raises(TypeError, match=fault):
        action("t.x")(function)
