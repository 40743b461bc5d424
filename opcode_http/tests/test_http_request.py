import base64
import json

import pytest
from jsonschema import Draft202012Validator

from opcode_core import ErrorCode
from opcode_http import actions


async def test_output_has_exactly_the_documented_shape(http, server):
    server.answer("/", b'{"a": 1}', "X-Many: one", "x-many: two", kind="application/json")
    output = await http(url=server.url)
    Draft202012Validator(actions.request.output_schema).validate(output)
    assert isinstance(output.pop("duration_ms"), int)
    assert output == {
        "status_code": 200,
        "status": "200 OK",
        "headers": {"Content-Type": "application/json", "Content-Length": "8", "X-Many": "one, two"},
        "body": {"a": 1},
        "content_type": "application/json",
    }


def test_effects_and_params_of_the_three_actions():
    assert [(a.name, a.effect, a.is_async) for a in (actions.request, actions.get, actions.post)] == [
        ("http.request", "external", True),
        ("http.get", "idempotent", True),
        ("http.post", "external", True),
    ]
    params = actions.request.params_schema["properties"]
    assert set(params) == {
        "url", "method", "headers", "query", "body", "body_encoding", "auth", "timeout",
        "follow_redirects", "max_redirects", "tls_skip_verify", "fail_on_error_status",
    }  # fmt: skip
    assert set(params) - {"method"} == set(actions.get.params_schema["properties"])
    assert actions.post.params_schema["additionalProperties"] is False
    for action in (actions.request, actions.get, actions.post):
        Draft202012Validator.check_schema(action.params_schema)


@pytest.mark.parametrize(
    ("action", "params", "method"),
    [
        ("request", {}, "GET"),
        ("request", {"method": "patch"}, "PATCH"),
        ("get", {}, "GET"),
        ("post", {}, "POST"),
    ],
)
async def test_methods(http, server, action, params, method):
    server.answer("/")
    await http(action, url=server.url, **params)
    assert server.received[0].method == method


async def test_head_has_no_body_whatever_length_is_announced(http, server):
    async def answer(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")

    server.routes["/"] = answer
    output = await http(url=server.url, method="HEAD")
    assert (output["status_code"], output["body"]) == (200, "")


async def test_connections_are_reused(http, server):
    server.answer("/", b"x")
    for _ in range(3):
        await http(url=server.url)
    assert (len(server.received), server.connections) == (3, 1)


async def test_environment_proxies_are_ignored(http, server, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    server.answer("/", b"direct")
    assert (await http(url=server.url))["body"] == "direct"


async def test_cookies_of_one_call_do_not_reach_the_next(http, server):
    server.answer("/", b"", "Set-Cookie: session=secret")
    await http(url=server.url)
    await http(url=server.url)
    assert "cookie" not in server.received[1].headers


# Query and headers.


@pytest.mark.parametrize(
    ("url", "query", "target"),
    [
        ("/p?a=1&b=2", None, "/p?a=1&b=2"),
        ("/p?flag", {}, "/p?flag"),
        ("/p?a=1&b=2", {"b": "x y", "c": True}, "/p?a=1&b=x+y&c=true"),
        ("/p", {"list": [1, "ü&="], "none": None, "float": 1.5}, "/p?list=1&list=%C3%BC%26%3D&float=1.5"),
        ("/p#part", None, "/p"),
    ],
)
async def test_query_is_merged_into_the_url(http, server, url, query, target):
    server.answer("/p")
    await http(url=server.url + url, query=query)
    assert server.received[0].target == target


async def test_headers_are_sent_and_null_leaves_one_out(http, server):
    server.answer("/")
    headers = {
        "X-Text": "ü",
        "x-number": 5,
        "X-Flag": True,
        "X-None": None,
        "User-Agent": "mine",
        "Content-Length": "99",
    }
    await http(url=server.url, headers=headers, method="POST", body="x", body_encoding="text")
    received = server.received[0].headers
    assert (received["x-text"], received["x-number"], received["x-flag"]) == ("ü", "5", "true")
    assert "x-none" not in received
    assert received["user-agent"] == "mine"
    assert received["content-length"] == "1"


# Bodies.


@pytest.mark.parametrize(
    ("encoding", "body", "content", "kind"),
    [
        ("json", {"a": [1, None]}, b'{"a":[1,null]}', "application/json"),
        ("json", "text", b'"text"', "application/json"),
        ("json", 0, b"0", "application/json"),
        ("json", [], b"[]", "application/json"),
        (
            "form",
            {"a": "x y&", "b": [1, True], "c": None},
            b"a=x+y%26&b=1&b=true",
            "application/x-www-form-urlencoded",
        ),
        ("form", "a=1", b"a=1", "application/x-www-form-urlencoded"),
        ("text", "ü", "ü".encode(), "text/plain; charset=utf-8"),
        ("raw", "ü", "ü".encode(), None),
        ("raw", {"base64": "AP8="}, b"\x00\xff", None),
        ("json", None, b"", None),
    ],
)
async def test_body_encodings(http, server, encoding, body, content, kind):
    server.answer("/")
    await http("post", url=server.url, body=body, body_encoding=encoding)
    assert server.received[0].body == content
    assert server.received[0].headers.get("content-type") == kind


async def test_the_callers_content_type_wins(http, server):
    server.answer("/")
    await http("post", url=server.url, body={}, headers={"content-type": "application/vnd.api+json"})
    assert server.received[0].headers["content-type"] == "application/vnd.api+json"


@pytest.mark.parametrize(
    ("kind", "sent", "body"),
    [
        ("application/json", b'{"a": 1.5}', {"a": 1.5}),
        ("application/problem+json; charset=utf-8", b'"x"', "x"),
        ("application/json", b"42", 42),
        ("application/json", b"null", None),
        ("application/json", b'{"a": ', '{"a": '),
        ("application/json", b"[" * 50_000, "[" * 50_000),
        ("application/json", b"NaN", "NaN"),
        ("application/json", b"", ""),
        ("application/json", b'\xef\xbb\xbf{"bom": 1}', {"bom": 1}),
        ("text/plain", b' [1, {"a": 2}]\n', [1, {"a": 2}]),
        ("text/plain", b"42", "42"),
        ("text/plain", b"{not json}", "{not json}"),
        ("text/html; charset=latin-1", b"caf\xe9", "café"),
        ("text/html; charset=nonsense", "ü".encode(), "ü"),
        ("text/plain", b"a\xffb", "a�b"),
        ("application/octet-stream", b"plain", "plain"),
        ("image/png", b"\x89PNG\x00\xff", base64.b64encode(b"\x89PNG\x00\xff").decode()),
    ],
)
async def test_response_bodies(http, server, kind, sent, body):
    server.answer("/", sent, kind=kind)
    assert (await http(url=server.url))["body"] == body


async def test_a_response_is_data_and_is_never_a_template(http, server):
    server.answer("/", json.dumps({"x": "${{secrets.KEY}}"}).encode(), kind="application/json")
    assert (await http(url=server.url))["body"] == {"x": "${{secrets.KEY}}"}


# Auth and the idempotency key.


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"type": "bearer", "token": "t1"}, "authorization", "Bearer t1"),
        ({"type": "basic", "username": "ü", "password": "p:w"}, "authorization", "Basic w7w6cDp3"),
        ({"type": "basic", "username": "u", "password": None}, "authorization", "Basic dTo="),
        ({"type": "api_key", "header_name": "X-Token", "header_value": "k"}, "x-token", "k"),
        ({"type": "api_key", "header_value": "k"}, "x-api-key", "k"),
    ],
)
async def test_auth(http, server, auth, header, value):
    server.answer("/")
    await http(url=server.url, auth=auth)
    assert server.received[0].headers[header] == value


async def test_a_user_in_the_url_is_basic_auth_and_is_not_shown(http, server, error_of):
    server.answer("/", b"no", status="403 Forbidden")
    url = server.url.replace("http://", "http://me:hunter2@")
    await http(url=url)
    assert server.received[0].headers["authorization"] == "Basic bWU6aHVudGVyMg=="
    error = await error_of(url=f"{url}/?key=hunter3", fail_on_error_status=True)
    assert "hunter" not in f"{error.message} {error.details}"


async def test_unsafe_methods_carry_the_steps_idempotency_key(http, server):
    server.answer("/")
    await http("post", key="r1:s1:1", url=server.url)
    await http(url=server.url, method="DELETE", key="r1:s2:1")
    await http("post", url=server.url, headers={"idempotency-key": "mine"})
    await http("get", url=server.url)
    keys = [request.headers.get("idempotency-key") for request in server.received]
    assert keys == ["r1:s1:1", "r1:s2:1", "mine", None]


# Error statuses, and params that make no sense.


async def test_an_error_status_is_a_result(http, server):
    server.answer("/", b"no", status="503 Busy")
    output = await http(url=server.url)
    assert (output["status_code"], output["status"], output["body"]) == (503, "503 Busy", "no")


async def test_fail_on_error_status_tells_status_and_the_bodys_beginning(server, error_of):
    server.answer("/x", b"the reason" + b"." * 5000, status="500 Internal Server Error")
    error = await error_of(url=f"{server.url}/x", fail_on_error_status=True)
    assert error.code == ErrorCode.EXECUTION_ERROR
    assert error.message.startswith(f"GET {server.url}/x answered 500 Internal Server Error: the reason...")
    assert len(error.message) < 700
    assert error.details["status_code"] == 500
    assert error.details["body"].startswith("the reason")


async def test_fail_on_error_status_lets_success_pass(http, server):
    server.answer("/", b"made", status="201 Created")
    assert (await http(url=server.url, fail_on_error_status=True))["status"] == "201 Created"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"url": "ftp://example.org/x"}, "url: must begin with http:// or https://, not 'ftp'"),
        ({"url": "file:///etc/passwd"}, "url: must begin with http:// or https://, not 'file'"),
        ({"url": "example.org"}, "url: must begin with http:// or https://, not 'example.org'"),
        ({"url": "http://"}, "url: names no host"),
        ({"url": "http://a:b:c/"}, "url: is not a URL"),
        ({"url": "http://a/\n"}, "url: is not a URL"),
        ({"method": "GE T"}, "method: 'GE T' is not a method"),
        ({"method": "CONNECT"}, "method: 'CONNECT' is not a method"),
        ({"headers": {"X-A": "a\r\nX-B: hunter2"}}, "headers.X-A: holds a line break"),
        ({"headers": {"X A": "a"}}, "headers.X A: 'X A' is not the name of a header"),
        (
            {"query": {"a": {"b": 1}}},
            "query.a: must be a text, a number, a boolean or a list of these, not dict",
        ),
        (
            {"body": [1], "body_encoding": "form"},
            "body: must be an object for body_encoding 'form', not list",
        ),
        ({"body": {"a": {}}, "body_encoding": "form"}, "body.a: must be a text, a number, a boolean"),
        ({"body": {}, "body_encoding": "text"}, "body: must be a text for body_encoding 'text', not dict"),
        ({"body": {"base64": "*"}, "body_encoding": "raw"}, "body.base64: is not base64"),
        ({"body": 5, "body_encoding": "raw"}, 'body: must be a text or {"base64": "..."}'),
        ({"body": 2**70}, "body: cannot be sent as JSON"),
        (
            {"body": {}, "body_encoding": "xml"},
            "body_encoding: must be one of json, form, text, raw, not 'xml'",
        ),
        ({"auth": {"type": "digest"}}, "auth.type: must be one of bearer, basic, api_key, not 'digest'"),
        ({"auth": {"token": "hunter2"}}, "auth.type: must be one of bearer, basic, api_key, not None"),
        ({"auth": {"type": "bearer"}}, "auth.token: is needed by type 'bearer' and is missing or empty"),
        ({"auth": {"type": "bearer", "token": 5}}, "auth.token: must be a text, not int"),
        (
            {"auth": {"type": "bearer", "token": "x", "key": "hunter2"}},
            "auth.key: does not belong to type 'bearer'",
        ),
        ({"auth": {"type": "bearer", "token": "hunter2\n\n."}}, "auth: holds a line break"),
        ({"timeout": "soon"}, "timeout: cannot read the duration 'soon'"),
        ({"timeout": 0}, "timeout: must be longer than 0"),
        ({"max_redirects": -1}, "max_redirects: cannot be negative, got -1"),
    ],
)
async def test_params_that_make_no_sense_are_named(error_of, params, message):
    error = await error_of(**{"url": "http://127.0.0.1:1/", **params})
    assert error.code == ErrorCode.VALIDATION_ERROR
    assert message in error.message
    assert "hunter2" not in error.message
