"""Pictures over MCP and REST: what travels in JSON, and what is the file itself."""

import asyncio
import base64
import urllib.request
from xml.etree import ElementTree as Xml

import pytest
from serving import HELLO, data

PNG = b"\x89PNG\r\n\x1a\n"
KINDS = {
    "ascii": ("text/plain; charset=utf-8", b"hello"),
    "mermaid": ("text/vnd.mermaid; charset=utf-8", b"flowchart TD"),
    "dot": ("text/vnd.graphviz; charset=utf-8", b"digraph"),
    "svg": ("image/svg+xml", b"<svg"),
    "image": ("image/png", PNG),
}


@pytest.fixture(scope="module")
def run_id(server):
    server.ask("/api/v1/define", {"name": "hello", "definition": HELLO, "agent_id": "ada"})
    _, ran = server.ask("/api/v1/run", {"template_name": "hello", "agent_id": "ada"})
    assert ran["status"] == "completed"
    return ran["workflow_id"]


@pytest.mark.parametrize("format_", KINDS)
def test_every_format_in_json(server, run_id, format_):
    status, drawn = server.ask("/api/v1/diagram", {"format": format_, "workflow_id": run_id})
    assert (status, drawn["format"]) == (200, format_)
    text = (
        base64.b64decode(drawn["diagram"], validate=True) if format_ == "image" else drawn["diagram"].encode()
    )
    assert KINDS[format_][1] in text
    if format_ not in ("image", "ascii"):
        assert b"completed" in text


@pytest.mark.parametrize("format_", KINDS)
def test_every_format_as_a_file(server, run_id, format_):
    for what in (f"workflow_id={run_id}", "template_name=hello", "template_name=hello&version=v1"):
        with urllib.request.urlopen(
            f"{server.url}/api/v1/diagram?format={format_}&{what}", timeout=30
        ) as answer:
            body = answer.read()
            assert answer.headers["Content-Type"] == KINDS[format_][0]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Content-Security-Policy"] == "default-src 'none'"
        assert KINDS[format_][1] in body
        if format_ in ("svg", "dot"):
            assert (b"completed" in body) == ("workflow_id" in what)


def test_without_statuses(server, run_id):
    url = f"{server.url}/api/v1/diagram?workflow_id={run_id}&include_status=false"
    with urllib.request.urlopen(url, timeout=30) as answer:
        text = answer.read().decode()
    assert "completed" not in text
    assert Xml.fromstring(text).get("role") == "img"


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("format=oil&template_name=hello", 422, "format"),
        ("template_name=nope", 404, "nope"),
        ("workflow_id=nope", 404, "nope"),
        ("format=svg", 422, "give one of template_name and workflow_id"),
    ],
)
def test_what_cannot_be_drawn(server, run_id, query, status, words):
    got, answer = server.ask(f"/api/v1/diagram?{query}")
    assert got == status
    assert words in answer["error"]["message"]


async def test_an_agent_sees_the_image(server, run_id):
    async with server.client("http", "auto") as client:
        result = await client.call_tool("opcode.diagram", {"format": "image", "workflow_id": run_id})
        _, image = result.content
        assert (image.type, image.mime_type) == ("image", "image/png")
        assert base64.b64decode(image.data, validate=True).startswith(PNG)
        assert data(result)["diagram"] == image.data
        text = await client.call_tool("opcode.diagram", {"format": "mermaid", "workflow_id": run_id})
        assert [part.type for part in text.content] == ["text"]


async def test_a_crowd_gets_the_same_and_others_are_served_meanwhile(server, run_id):
    steps = [{"id": f"s{i}", "action": "crypto.uuid"} for i in range(500)]
    _, ran = server.ask("/api/v1/execute", {"definition": {"steps": steps}})

    def ask() -> str:
        _, drawn = server.ask("/api/v1/diagram", {"format": "svg", "workflow_id": ran["workflow_id"]})
        return drawn["diagram"]

    drawings = await asyncio.gather(*(asyncio.to_thread(ask) for _ in range(20)))
    assert len(set(drawings)) == 1
    assert "500 steps: 500 completed" in drawings[0]
