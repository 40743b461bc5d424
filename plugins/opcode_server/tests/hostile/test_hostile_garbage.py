"""What no client should send: each is answered clearly, at once, and without an error of the program."""

import asyncio
import json

import pytest
import rough
from serving import ASK, HELLO, serving

BOTH = "application/json, text/event-stream"
P = "io.modelcontextprotocol/"
MODERN = "2026-07-28"
META = {
    P + "protocolVersion": MODERN,
    P + "clientInfo": {"name": "rough", "version": "0"},
    P + "clientCapabilities": {},
}


def deep(levels):
    return b'{"a":' * levels + b"1" + b"}" * levels


def rpc(method=b'"tools/call"', params=b"{}", id_=b"1"):
    return b'{"jsonrpc":"2.0","id":%s,"method":%s,"params":%s}' % (id_, method, params)


def call(arguments, name=b'"opcode.query"'):
    return rpc(params=b'{"name":%s,"arguments":%s}' % (name, arguments))


NO_MESSAGE = {
    "every byte": bytes(range(256)),
    "nothing": b"",
    "zeros": b"\0" * 10,
    "half a message": b'{"jsonrpc":"2.0","id":1,"meth',
    "another object": b'{"hello":1}',
    "a number": b"5",
    "null": b"null",
    "a text": b'"x"',
    "a batch": b"[%s]" % rpc(b'"ping"'),
    "an empty batch": b"[]",
    "deep lists": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": deep(100_000),
    "deep arguments": call(deep(100_000)),
    "not UTF-8": rpc(b'"\xff\xfe"'),
    "an endless number": call(b'{"resource":%s}' % (b"9" * 5000)),
    "an endless id": rpc(b'"ping"', id_=b"9" * 5000),
    "an older JSON-RPC": rpc(b'"ping"').replace(b"2.0", b"1.0"),
    "a method that is a number": rpc(b"5"),
    "params that are a list": rpc(params=b"[1,2]"),
    "params that are a text": rpc(params=b'"x"'),
    "half a surrogate pair as a method": rpc(b'"\\udfff"'),
    "half a surrogate pair as an argument": call(b'{"resource":"\\ud800"}'),
    "half a surrogate pair as a tool": call(b"{}", b'"\\ud800"'),
}
"""What is no message: it is refused with 400 everywhere."""

WRONG = {
    "an unknown method": (rpc(b'"no/such"'), "Method not found"),
    "no tool": (rpc(params=b"{}"), "Invalid request parameters"),
    "arguments that are a list": (call(b"[1]"), "Invalid request parameters"),
    "meta that is a number": (rpc(params=b'{"name":"opcode.query","_meta":5}'), "Invalid request parameters"),
    "an unknown tool": (call(b"{}", b'"opcode.querry"'), "NOT_FOUND"),
    "NaN": (call(b'{"resource":NaN}'), "VALIDATION_ERROR"),
    "infinity": (call(b'{"resource":1e999}'), "VALIDATION_ERROR"),
    "a number that is too large": (call(b'{"resource":"templates","filter":{"limit":1180591620717411303424}}'), "VALIDATION_ERROR"),
    "rather deep arguments": (call(deep(150)), "VALIDATION_ERROR"),
    "a control character": (call(b'{"template_name":"hello","agent_id":"a\\u0000b"}', b'"opcode.run"'), "VALIDATION_ERROR"),
    "NaN in params": (call(b'{"template_name":"hello","agent_id":"a","params":{"name":NaN}}', b'"opcode.run"'), "VALIDATION_ERROR"),
    "a cursor of nobody": (rpc(b'"resources/list"', b'{"cursor":"garbage"}'), "VALIDATION_ERROR"),
    "a resource of nobody": (rpc(b'"resources/read"', b'{"uri":"opcode://templates/%00"}'), "NOT_FOUND"),
    "a file": (rpc(b'"resources/read"', b'{"uri":"file:///etc/passwd"}'), "NOT_FOUND"),
    "a prompt without its argument": (rpc(b'"prompts/get"', b'{"name":"write_workflow"}'), "VALIDATION_ERROR"),
    "the state of another call": (
        rpc(params=b'{"name":"opcode.run","arguments":{"template_name":"hello","agent_id":"x"},"requestState":"{\\"workflow_id\\":\\"x\\",\\"decision_id\\":5}"}'),
        "NOT_FOUND",
    ),
}  # fmt: skip
"""Messages that are answered with an error, and a word of it."""


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("home")) as server:
        for name, definition in (("hello", HELLO), ("ask", ASK)):
            server.ask("/api/v1/define", {"name": name, "definition": definition, "agent_id": "a"})
        yield server


@pytest.fixture(scope="module")
def run_id(target):
    return target.ask("/api/v1/run", {"template_name": "hello", "agent_id": "a"})[1]["workflow_id"]


@pytest.fixture(scope="module")
def ask_id(target):
    return target.ask("/api/v1/run", {"template_name": "ask", "agent_id": "a"})[1]["workflow_id"]


async def session(target, accept):
    hello = await rough.ask(target, "POST", "/mcp", rough.HELLO, Accept=accept)
    return {"Accept": accept, "Mcp-Session-Id": hello.headers["mcp-session-id"]}


def params(cases):
    return [pytest.param(*case, id=name) for name, case in cases.items()]


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in NO_MESSAGE.items()])
async def test_no_message(target, body):
    for accept in ("application/json", BOTH):
        for headers in ({"Accept": accept}, await session(target, accept)):
            answer = await rough.ask(target, "POST", "/mcp", body, **headers)
            assert answer.status == 400, answer
            assert answer.json()["error"]["code"] in (-32700, -32602, -32600)
    answer = await rough.ask(target, "POST", "/mcp", body, Accept=BOTH, MCP_Protocol_Version=MODERN)
    assert answer.status == 400, answer
    assert answer.json()["error"]["message"]
    async with rough.sse(target) as client:
        for path in ("/messages/", "/messages", "/message"):
            query = client.endpoint.partition("?")[2]
            answer = await rough.ask(target, "POST", f"{path}?{query}", body)
            assert (answer.status, answer.body) == (400, b"Could not parse message")
        alive = await client.call("opcode.query", resource="templates")
        assert not alive["isError"]


@pytest.mark.parametrize(("body", "word"), params(WRONG))
async def test_a_wrong_message(target, body, word):
    answer = await rough.ask(target, "POST", "/mcp", body, **await session(target, "application/json"))
    assert answer.status == 200, answer
    assert _said(answer.json(), word)
    answer = await rough.ask(target, "POST", "/mcp", body, **await session(target, BOTH))
    assert answer.status == 200, answer
    assert _said(json.loads(answer.body.decode().partition("data: ")[2]), word)
    async with rough.sse(target) as client:
        assert (await client.post(body)).status == 202
        async with asyncio.timeout(5):
            assert _said(await client.reply(1), word)


@pytest.mark.xfail(strict=True, reason="the SDK takes it for a notification")
@pytest.mark.parametrize("id_", [b"null", b"1.5", b"{}"])
async def test_an_id_that_is_none_is_refused(target, id_):
    headers = await session(target, "application/json")
    assert (await rough.ask(target, "POST", "/mcp", rpc(b'"ping"', id_=id_), **headers)).status == 400


def _said(message, word):
    assert message["id"] == 1
    if "error" in message:
        assert message["error"]["code"] in (-32601, -32602)
        return word in message["error"]["message"]
    assert message["result"]["isError"] is True
    return message["result"]["content"][0]["text"].startswith(word)


HALF = "\ud800"
ENDLESS = "9" * 5000
HUGE = 2**70
NAN = float("nan")


def nested(levels):
    value = 1
    for _ in range(levels):
        value = {"a": value}
    return value


RUN = {"template_name": "hello", "agent_id": "a"}
QUERY = {"resource": "templates"}
DEFINE = {"name": "x", "definition": HELLO, "agent_id": "a"}
DATA = {"workflow_id": "ASK", "signal_type": "data"}
DECIDE = {"workflow_id": "ASK", "signal_type": "decision"}
TOOL_CALLS = {
    "query half": ("query", {"resource": HALF}),
    "query filter half": ("query", {**QUERY, "filter": {HALF: 1}}),
    "query name half": ("query", {**QUERY, "filter": {"name": HALF}}),
    "query limit huge": ("query", {**QUERY, "filter": {"limit": HUGE}}),
    "query limit text": ("query", {**QUERY, "filter": {"limit": "5"}}),
    "query limit fraction": ("query", {**QUERY, "filter": {"limit": 5.5}}),
    "query cursor half": ("query", {**QUERY, "filter": {"cursor": HALF}}),
    "query since year": ("query", {"resource": "workflows", "filter": {"since": "99999-01-01"}}),
    "query since half": ("query", {"resource": "workflows", "filter": {"since": HALF}}),
    "query filter list": ("query", {**QUERY, "filter": [1]}),
    "status half": ("status", {"workflow_id": HALF}),
    "status since endless": ("status", {"workflow_id": "RUN", "since": ENDLESS}),
    "status since huge": ("status", {"workflow_id": "RUN", "since": HUGE}),
    "status since superscript": ("status", {"workflow_id": "RUN", "since": "²"}),
    "status since fraction": ("status", {"workflow_id": "RUN", "since": 1.5}),
    "status since nothing": ("status", {"workflow_id": "RUN", "since": ""}),
    "run half": ("run", {**RUN, "template_name": HALF}),
    "run agent half": ("run", {**RUN, "agent_id": HALF}),
    "run version endless": ("run", {**RUN, "version": "v" + ENDLESS}),
    "run version huge": ("run", {**RUN, "version": HUGE}),
    "run version fraction": ("run", {**RUN, "version": 1.5}),
    "run version negative": ("run", {**RUN, "version": -1}),
    "run version half": ("run", {**RUN, "version": HALF}),
    "run params text": ("run", {**RUN, "params": "[" * 100_000}),
    "run params deep": ("run", {**RUN, "params": {"name": nested(400)}}),
    "run params NaN text": ("run", {**RUN, "params": '{"name": NaN}'}),
    "run timeout negative": ("run", {**RUN, "timeout": -1}),
    "run timeout endless": ("run", {**RUN, "timeout": ENDLESS + "h"}),
    "run timeout half": ("run", {**RUN, "timeout": HALF}),
    "run key half": ("run", {**RUN, "idempotency_key": HALF}),
    "signal choice list": ("signal", {**DECIDE, "payload": {"choice": ["yes"]}}),
    "signal choice half": ("signal", {**DECIDE, "payload": {"choice": HALF}}),
    "signal deep": ("signal", {**DATA, "payload": {"x": nested(500)}}),
    "signal skip nobody": ("signal", {**DATA, "signal_type": "skip", "payload": {}, "step_id": "nobody"}),
    "define half": ("define", {**DEFINE, "name": HALF}),
    "define step half": (
        "define",
        {**DEFINE, "definition": {"steps": [{"id": HALF, "action": "workflow.log"}]}},
    ),
    "define field half": ("define", {**DEFINE, "definition": {**HELLO, HALF: 1}}),
    "define deep": ("define", {**DEFINE, "definition": {**HELLO, "metadata": nested(900)}}),
    "define deep text": ("define", {**DEFINE, "definition": '{"steps": ' + "[" * 50_000}),
    "define schema": ("define", {**DEFINE, "input_schema": {"pattern": "("}}),
    "define description half": ("define", {**DEFINE, "description": HALF}),
    "diagram half": ("diagram", {"format": "ascii", "template_name": HALF}),
    "diagram version huge": ("diagram", {"format": "ascii", "template_name": "hello", "version": HUGE}),
    "diagram version endless": ("diagram", {"format": "ascii", "template_name": "hello", "version": ENDLESS}),
    "diagram run half": ("diagram", {"format": "ascii", "workflow_id": HALF}),
}


@pytest.mark.parametrize(("tool", "arguments"), params(TOOL_CALLS))
async def test_wrong_arguments(target, run_id, ask_id, tool, arguments):
    body = json.dumps(arguments).replace('"RUN"', f'"{run_id}"').replace('"ASK"', f'"{ask_id}"')
    answer = await rough.ask(target, "POST", f"/api/v1/{tool}", body.encode())
    assert 400 <= answer.status < 500, answer
    assert answer.code in ("VALIDATION_ERROR", "NOT_FOUND", "CONFLICT", "INVALID_TRANSITION")
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    message["params"] = {"name": f"opcode.{tool}", "arguments": json.loads(body), "_meta": META}
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": f"opcode.{tool}"}
    answer = await rough.ask(target, "POST", "/mcp", message, **headers)
    assert answer.status == 200, answer
    said = answer.json()["result"]
    assert said["isError"] is True
    assert said["content"][0]["text"].startswith(
        ("VALIDATION_ERROR: ", "NOT_FOUND: ", "CONFLICT: ", "INVALID_TRANSITION: ")
    )


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("query", {**QUERY, "filter": {"limit": 5.0}}),
        ("status", {"workflow_id": "RUN", "since": 1.0}),
        ("run", {**RUN, "version": 1.0}),
        ("diagram", {"format": "ascii", "template_name": "hello", "version": 1.0}),
    ],
)
async def test_a_whole_number_may_come_as_a_float(target, run_id, tool, arguments):
    body = json.dumps(arguments).replace('"RUN"', f'"{run_id}"').encode()
    assert (await rough.ask(target, "POST", f"/api/v1/{tool}", body)).status == 200
    async with rough.sse(target) as client:
        assert not (await client.call(f"opcode.{tool}", **json.loads(body)))["isError"]


async def test_text_that_no_encoding_holds_does_not_shut_others_out(target):
    poisoned = {
        "steps": [{"id": "a", "action": "workflow.log", "params": {"message": "m"}}],
        "metadata": {"x": HALF},
    }
    defined = await rough.ask(
        target, "POST", "/api/v1/define", {**DEFINE, "name": "poisoned", "definition": poisoned}
    )
    echo = {
        "inputs": {"v": 1},
        "steps": [
            {"id": "a", "action": "workflow.notify", "params": {"message": "m", "data": "${{inputs.v}}"}}
        ],
        "output": {"v": "${{inputs.v}}"},
    }
    await rough.ask(target, "POST", "/api/v1/define", {**DEFINE, "name": "echo", "definition": echo})
    async with rough.sse(target) as listener:
        assert not (await listener.call("opcode.run", template_name="echo", agent_id="victim"))["isError"]
        ran = await rough.ask(
            target,
            "POST",
            "/api/v1/run",
            {"template_name": "echo", "agent_id": "victim", "params": {"v": HALF}},
        )
        calls = [("opcode.query", QUERY)]
        if ran.status == 200:
            calls.append(("opcode.status", {"workflow_id": ran.json()["workflow_id"]}))
        assert (defined.status, ran.status) in ((200, 200), (422, 422))
        for name, arguments in calls:
            async with asyncio.timeout(5):
                assert not (await listener.call(name, **arguments))["isError"]
            message = {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {"name": name, "arguments": arguments},
            }
            for accept in ("application/json", BOTH):
                answer = await rough.ask(target, "POST", "/mcp", message, **await session(target, accept))
                assert answer.status == 200
                assert b'"isError":false' in answer.body
        async with asyncio.timeout(5):
            inbox = await listener.reply(
                await listener.ask("resources/read", {"uri": "opcode://inbox/victim"})
            )
        assert inbox["result"]["contents"]


EXECUTE = json.dumps({"definition": HELLO}).encode()
REQUESTS = {
    "no JSON": ("POST", "/api/v1/query", b"\xff\xfe", {}, 422),
    "half JSON": ("POST", "/api/v1/query", b'{"resource":', {}, 422),
    "NaN": ("POST", "/api/v1/query", b'{"resource":NaN}', {}, 422),
    "a list": ("POST", "/api/v1/query", b"[]", {}, 422),
    "deep": ("POST", "/api/v1/query", deep(100_000), {}, 422),
    "deeper": ("POST", "/api/v1/query", b"[" * 1_000_000, {}, 422),
    "a form": ("POST", "/api/v1/query", b"resource=templates", {"Content-Type": "application/x-www-form-urlencoded"}, 422),
    "execute nothing": ("POST", "/api/v1/execute", b"", {}, 422),
    "execute no UTF-8": ("POST", "/api/v1/execute", b"\xff", {}, 400),
    "execute half": ("POST", "/api/v1/execute", EXECUTE[:-1], {}, 422),
    "execute deep": ("POST", "/api/v1/execute", b'{"definition":%s}' % deep(100_000), {}, 400),
    "execute rather deep": ("POST", "/api/v1/execute", b'{"definition":%s}' % deep(900), {}, 422),
    "execute NaN": ("POST", "/api/v1/execute", EXECUTE[:-1] + b',"params":{"name":NaN}}', {}, 422),
    "execute for NaN": ("POST", "/api/v1/execute", EXECUTE[:-1] + b',"timeout":NaN}', {}, 422),
    "execute for ever": ("POST", "/api/v1/execute", EXECUTE[:-1] + b',"timeout":1e999}', {}, 422),
    "execute half name": ("POST", "/api/v1/execute", EXECUTE[:-1] + b',"name":"\\ud800"}', {}, 422),
    "execute half agent": ("POST", "/api/v1/execute", EXECUTE[:-1] + b',"agent_id":"\\ud800"}', {}, 422),
    "execute endless": ("POST", "/api/v1/execute", b'{"definition":%s}' % (b"9" * 5000), {}, 400),
    "execute text": ("POST", "/api/v1/execute", EXECUTE, {"Content-Type": "text/plain"}, 422),
    "execute parts": ("POST", "/api/v1/execute", b"x", {"Content-Type": "multipart/form-data; boundary=x"}, 422),
    "fork nobody": ("POST", "/api/v1/fork", b'{"workflow_id":"\\ud800","step_id":"x"}', {}, 422),
    "fork half step": ("POST", "/api/v1/fork", b'{"workflow_id":"RUN","step_id":"\\ud800"}', {}, 404),
    "events of nobody": ("GET", "/api/v1/events?workflow_id=%00", None, {}, 404),
    "events since endless": ("GET", f"/api/v1/events?workflow_id=RUN&since={ENDLESS}", None, {}, 422),
    "events since huge": ("GET", f"/api/v1/events?workflow_id=RUN&since={HUGE}", None, {}, 422),
    "events after huge": ("GET", "/api/v1/events?workflow_id=RUN", None, {"Last-Event-ID": str(HUGE)}, (200, 422)),
    "events after endless": ("GET", "/api/v1/events?workflow_id=RUN", None, {"Last-Event-ID": ENDLESS}, (200, 422)),
    "decisions limit": ("GET", "/api/v1/decisions?limit=0", None, {}, 422),
    "decisions cursor": ("GET", "/api/v1/decisions?cursor=%ED%A0%80", None, {}, 422),
    "agents cursor": ("GET", "/api/v1/agents?cursor=%00", None, {}, 422),
    "inbox limit": ("GET", "/api/v1/inbox/a?limit=NaN", None, {}, 422),
    "inbox path": ("GET", "/api/v1/inbox/..%2f..%2fetc", None, {}, 404),
    "another method": ("TRACE", "/api/v1/query", None, {}, 405),
    "a file": ("GET", "/../../etc/passwd", None, {}, 404),
    "a NUL": ("GET", "/%00", None, {}, 404),
    "no UTF-8": ("GET", "/%ff%fe", None, {}, 404),
    "no session": ("POST", "/messages/", b"{}", {}, 400),
    "no id": ("POST", "/messages/?session_id=zz", b"{}", {}, 400),
    "odd id": ("POST", "/message?session_id=%ff", b"{}", {}, 400),
    "unknown id": ("POST", "/message?session_id=" + "0" * 32, b"{}", {}, 404),
    "get messages": ("GET", "/messages/", None, {}, 405),
    "post sse": ("POST", "/sse", b"{}", {}, 405),
    "mcp type": ("POST", "/mcp", b"{}", {"Content-Type": "text/plain"}, (400, 415)),
    "mcp accept": ("POST", "/mcp", b"{}", {"Accept": "text/plain"}, 406),
    "mcp version": ("POST", "/mcp", b"{}", {"MCP-Protocol-Version": "\xff"}, 400),
    "mcp session": ("POST", "/mcp", b"{}", {"Mcp-Session-Id": "\xff" * 3000}, 404),
    "mcp stream": ("GET", "/mcp", None, {"Accept": "text/event-stream"}, 400),
    "mcp end": ("DELETE", "/mcp", None, {}, 400),
    "an odd cookie": ("GET", "/healthz", None, {"Cookie": 'opcode_token="\\777"; =; \xff'}, 200),
    "an odd token": ("GET", "/api/v1/agents", None, {"Authorization": "Bearer \xff\xfe"}, 401),
}  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "headers", "status"), params(REQUESTS))
async def test_a_wrong_request(target, run_id, method, path, body, headers, status):
    path = path.replace("RUN", run_id)
    body = body if body is None else body.replace(b"RUN", run_id.encode())
    answer = await rough.ask(target, method, path, body, **headers)
    assert answer.status in (status if isinstance(status, tuple) else (status,)), answer
    if "/api/" in path and answer.status >= 400:
        assert set(answer.json()["error"]) == {"code", "message", "details", "step_id"}


LOCAL = b"Host: localhost\r\nConnection: close\r\n\r\n"
RAW = {
    "zeros": b"\0" * 100,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "no version": b"GET\r\n\r\n",
    "another version": b"GET / HTTP/9.9\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "an unknown method": b"BREW / HTTP/1.1\r\n" + LOCAL,
    "a tunnel": b"CONNECT evil.example:443 HTTP/1.1\r\n" + LOCAL,
    "a long path": b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n" + LOCAL,
    "bytes in the path": b"GET /\xff\xfe HTTP/1.1\r\n" + LOCAL,
    "bytes in the query": b"GET /healthz?\xff HTTP/1.1\r\n" + LOCAL,
    "a space before the colon": b"GET /healthz HTTP/1.1\r\nX : y\r\n" + LOCAL,
    "a NUL in a header": b"GET /healthz HTTP/1.1\r\nX: a\x00b\r\n" + LOCAL,
    "a negative length": b"POST /mcp HTTP/1.1\r\nContent-Length: -5\r\n" + LOCAL,
    "two lengths": b"POST /mcp HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n" + LOCAL + b"abcdef",
    "a length beyond numbers": b"POST /mcp HTTP/1.1\r\nContent-Length: 99999999999999999999999999\r\n" + LOCAL,
    "a chunk that is none": b"POST /mcp HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + LOCAL + b"zz\r\n",
    "chunks and a length": b"POST /mcp HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n" + LOCAL + b"0\r\n\r\n",
    "many headers": b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 200_000 + LOCAL,
    "a large header": b"GET /healthz HTTP/1.1\r\nX: " + b"y" * 1_000_000 + b"\r\n" + LOCAL,
}  # fmt: skip


@pytest.mark.parametrize("sent", [pytest.param(sent, id=name) for name, sent in RAW.items()])
async def test_no_http(target, sent):
    reader, writer = await asyncio.open_connection(*rough.address(target))
    try:
        async with asyncio.timeout(5):
            try:
                writer.write(sent)
                await writer.drain()
                answer = await rough.answered(reader)
            except (ConnectionError, asyncio.IncompleteReadError):
                answer = None  # cut off while it was still talking
    finally:
        writer.transport.abort()
    assert answer is None or answer.status in (400, 414, 421, 431), answer
    assert answer is not None or len(sent) > 2**16
    assert (await rough.ask(target, "GET", "/healthz")).status == 200


async def test_a_websocket_is_not_opened(target):
    sent = b"GET /sse HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n"
    reader, writer = await asyncio.open_connection(*rough.address(target))
    writer.write(sent + b"Host: localhost\r\n\r\n")
    async with asyncio.timeout(5):
        line = await reader.readline()
    writer.transport.abort()
    assert b" 101 " not in line
    assert b" 500 " not in line


TEN_MB = 10 * 2**20
SURFACES = ("/mcp", "/messages/", "/message", "/api/v1/query", "/api/v1/execute")


@pytest.mark.parametrize("path", SURFACES)
async def test_ten_megabytes_are_refused(target, path):
    memory = rough.rss(target)
    body = b"x" * TEN_MB
    async with asyncio.timeout(5):
        for connection in ("keep-alive", "close"):
            answer = await rough.ask(target, "POST", path, body, Connection=connection)
            assert answer.status == 413, answer
    assert rough.rss(target) < memory + 40


@pytest.mark.parametrize("path", SURFACES)
async def test_ten_megabytes_in_chunks_are_refused(target, path):
    chunk = b"10000\r\n" + b"x" * 2**16 + b"\r\n"
    sent = (
        rough.head(target, "POST", path, **rough.JSON, Transfer_Encoding="chunked")
        + chunk * 160
        + b"0\r\n\r\n"
    )
    assert (await rough.send(target, sent, within=5)).status == 413


@pytest.mark.parametrize("path", SURFACES)
async def test_what_is_declared_too_large_is_refused_before_it_comes(target, path):
    sent = rough.head(target, "POST", path, **rough.JSON, Content_Length=str(TEN_MB))
    assert (await rough.send(target, sent, within=1.0)).status == 413


async def test_what_is_declared_too_large_is_not_asked_for(target):
    sent = rough.head(target, "POST", "/mcp", **rough.JSON, Content_Length=str(TEN_MB), Expect="100-continue")
    assert (await rough.send(target, sent)).status == 413


def test_no_error_of_the_program_was_seen(target):
    assert not rough.errors(target.log)


async def test_a_signal_that_is_refused_does_not_throw_the_run_off(target):
    sleep = {"id": "sleep", "action": "shell.exec", "params": {"command": "sleep", "args": ["1"]}}
    target.ask("/api/v1/define", {**DEFINE, "name": "sleep", "definition": {"steps": [sleep]}})
    _, ran = target.ask("/api/v1/run", {"template_name": "sleep", "agent_id": "a", "timeout": 0.3})
    assert ran["steps"]["sleep"]["status"] == "running"
    signal = {"workflow_id": ran["workflow_id"], "signal_type": "data", "payload": {"x": 1}, "step_id": HALF}
    assert target.ask("/api/v1/signal", signal)[0] == 422
    async with asyncio.timeout(rough.LONG):
        while (run := target.ask("/api/v1/status", {"workflow_id": ran["workflow_id"]})[1])[
            "status"
        ] == "active":
            await asyncio.sleep(0.05)
    happened = [event["event_type"] for event in run["events"]]
    assert happened.count("step_started") == 1
    assert not {"workflow_interrupted", "step_retrying"} & set(happened)
