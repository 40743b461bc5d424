"""Making an action from a function: its signature is its schema."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, NotRequired, get_type_hints

from pydantic import ConfigDict, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from typing_extensions import TypedDict

from opcode_core.contracts.action import Action, ActionContext, Call, Effect


def action(
    name: str,
    *,
    effect: Effect = "external",
    blocking: bool = False,
    aliases: tuple[str, ...] = (),
    output: Any = None,
    breaker: bool = True,
) -> Callable[[Callable[..., Any]], Action]:
    """Turn a function, plain or `async`, into an Action.

    The params' schema comes from its annotations and defaults, the description from its
    docstring. A parameter annotated `ActionContext` receives the context of the call; `**name`
    allows any further params. `typing.Annotated` with `pydantic.Field` adds descriptions and bounds.

    Args:
        name: `package.verb`.
        effect: what a repetition would do to the world; the cautious answer is the default.
        blocking: the function blocks, so run it in a thread.
        aliases: further names for the same action.
        output: a type for the output's schema, instead of the return annotation.
        breaker: failures in a row open its circuit breaker.

    Raises:
        TypeError: when the signature cannot be a JSON object.
    """

    def wrap(function: Callable[..., Any]) -> Action:
        signature = _Signature(function)
        return Action(
            name=name,
            description=_first_paragraph(function),
            effect=effect,
            params_schema=signature.params_schema(name),
            output_schema=signature.output_schema(name, output),
            call=signature.caller(),
            is_async=inspect.iscoroutinefunction(function),
            blocking=blocking,
            wants_context=signature.context is not None,
            aliases=aliases,
            breaker=breaker,
        )

    return wrap


class _Signature:
    """A function's parameters, seen as a JSON object."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        try:
            self.hints = get_type_hints(function, include_extras=True)
        except NameError as error:
            raise TypeError(f"{function.__qualname__}: an annotation cannot be read: {error}") from error
        self.parameters = inspect.signature(function).parameters
        self.context = next((n for n in self.parameters if self.hints.get(n) is ActionContext), None)
        positional = [
            p.name for p in self.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL)
        ]
        if positional:
            raise TypeError(
                f"{function.__qualname__}: params are passed by name, so {positional} cannot be positional-only"
            )

    def params_schema(self, name: str) -> Mapping[str, Any]:
        fields: dict[str, Any] = {}
        defaults: dict[str, Any] = {}
        extra: Literal["allow", "forbid"] = "forbid"
        for parameter in self.parameters.values():
            hint = self.hints.get(parameter.name, Any)
            if parameter.kind is parameter.VAR_KEYWORD:
                extra = "allow"
            elif parameter.name == self.context:
                continue
            elif parameter.default is parameter.empty:
                fields[parameter.name] = hint
            else:
                fields[parameter.name] = NotRequired[hint]
                defaults[parameter.name] = parameter.default
        # A TypedDict, not a model: its keys may have any name, also those that a model has for itself.
        params: Any = TypedDict("Params", fields)  # type: ignore[misc]
        params.__pydantic_config__ = ConfigDict(extra=extra)  # type: ignore[attr-defined]
        schema = _schema_of(params, f"the params of action {name!r}")
        schema.setdefault("properties", {})
        for key, default in defaults.items():
            schema["properties"][key]["default"] = default
        schema["additionalProperties"] = extra == "allow"
        return schema

    def output_schema(self, name: str, declared: Any) -> Mapping[str, Any]:
        annotation = declared if declared is not None else self.hints.get("return", Any)
        if annotation is Any:
            return {}
        return _schema_of(annotation, f"the output of action {name!r}")

    def caller(self) -> Call:
        function, context = self.function, self.context
        if context is None:
            return lambda params, _: function(**params)
        return lambda params, given: function(**params, **{context: given})


def _schema_of(kind: Any, what: str) -> dict[str, Any]:
    try:
        schema = TypeAdapter(kind).json_schema()
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        raise TypeError(f"{what} cannot be described in JSON: {error}") from error
    schema.pop("title", None)
    for value in schema.get("properties", {}).values():
        value.pop("title", None)
    return schema


def _first_paragraph(function: Callable[..., Any]) -> str:
    text = inspect.getdoc(function) or ""
    return " ".join(text.split("\n\n")[0].split())
