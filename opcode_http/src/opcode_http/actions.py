"""The actions `http.request`, `http.get` and `http.post`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from opcode_core import Action, ActionContext, Effect, action

_AUTH = {
    "type": ["object", "null"],
    "properties": {
        "type": {"enum": ["bearer", "basic", "api_key"]},
        "token": {"type": ["string", "null"]},
        "username": {"type": ["string", "null"]},
        "password": {"type": ["string", "null"]},
        "header_name": {"type": ["string", "null"]},
        "header_value": {"type": ["string", "null"]},
    },
    "required": ["type"],
    "additionalProperties": False,
}
_OUTPUT = {
    "type": "object",
    "properties": {
        "status_code": {"type": "integer"},
        "status": {"type": "string", "description": 'such as "200 OK"'},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "body": {"description": "parsed when it is JSON, else text; base64 when it is not text"},
        "content_type": {"type": "string"},
        "duration_ms": {"type": "integer"},
    },
    "required": ["status_code", "status", "headers", "body", "content_type", "duration_ms"],
}


@action("http.request", effect="external")
async def request(
    ctx: ActionContext,
    url: Annotated[str, Field(description="http:// or https://")],
    method: str = "GET",
    headers: dict[str, str | int | float | bool | None] | None = None,
    query: Annotated[dict[str, Any] | None, Field(description="Added to the URL's own query")] = None,
    body: Any = None,
    body_encoding: Literal["json", "form", "text", "raw"] = "json",
    auth: Annotated[dict[str, Any] | None, WithJsonSchema(_AUTH)] = None,
    timeout: Annotated[str | float, Field(description='For the whole request: "30s", or seconds')] = "30s",
    follow_redirects: bool = True,
    max_redirects: Annotated[int, Field(ge=0)] = 10,
    tls_skip_verify: bool = False,
    fail_on_error_status: Annotated[
        bool, Field(description="Make a status of 400 and more an error")
    ] = False,
) -> Annotated[dict[str, Any], WithJsonSchema(_OUTPUT)]:
    """Send an HTTP request and give the response; any status is a result unless `fail_on_error_status`."""
    # Here, because the HTTP library is not worth loading for a program that sends nothing.
    from opcode_http.exchange import Rules, exchange
    from opcode_http.outgoing import outgoing

    rules = Rules.of(
        timeout,
        max_redirects if follow_redirects else None,
        verify=not tls_skip_verify,
        fail_on_error_status=fail_on_error_status,
        network=ctx.network,
    )
    return await exchange(
        outgoing(method, url, headers, query, body, body_encoding, auth, ctx.idempotency_key), rules
    )


def _with_method(name: str, method: str, effect: Effect, description: str) -> Action:
    """`http.request` with its method fixed."""

    def call(params: dict[str, Any], ctx: ActionContext | None) -> Any:
        return request.call({**params, "method": method}, ctx)

    schema: Mapping[str, Any] = request.params_schema
    properties = {param: value for param, value in schema["properties"].items() if param != "method"}
    return replace(
        request,
        name=name,
        description=description,
        effect=effect,
        params_schema={**schema, "properties": properties},
        call=call,
    )


get = _with_method("http.get", "GET", "idempotent", "Send a GET request and give the response.")
post = _with_method(
    "http.post",
    "POST",
    "external",
    "Send a POST request, with a JSON body by default, and give the response.",
)
