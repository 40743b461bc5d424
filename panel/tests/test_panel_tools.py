"""Tool servers on the plugins page: who may see and do what, and what servers say is shown as text."""

import http.client
import json
import re
import sys
import time
import urllib.parse
from pathlib import Path

import pytest
from serving import serving

NAUGHTY = Path(__file__).resolve().parents[2] / "plugins/opcode_mcp/tests/naughty.py"
HOSTILE = """</p><script>alert(1)</script>"><img src=x onerror=alert(1)>{{7*7}}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("home"), OPCODE_TOKEN="a-long-random-text") as running:
        yield running


def browse(server, method, path, token="a-long-random-text", **form):
    """The status and the text of an answer."""
    wire = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)
    headers = {
        "Accept": "text/html",
        "Cookie": f"opcode_token={token}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Sec-Fetch-Site": "same-origin",
    }
    wire.request(method, path, urllib.parse.urlencode(form), headers)
    response = wire.getresponse()
    text = response.read().decode()
    wire.close()
    return response.status, text


def shown(server, pattern, token="a-long-random-text", within=20.0):
    """The page, once it shows that."""
    until = time.monotonic() + within
    while True:
        status, text = browse(server, "GET", "/plugins", token)
        assert status == 200
        if re.search(pattern, text, re.DOTALL):
            return text
        assert time.monotonic() < until, text
        time.sleep(0.1)


def write(path, *tools):
    path.write_text(
        json.dumps([{"description": "", "inputSchema": {"type": "object"}, **tool} for tool in tools])
    )


def test_a_server_is_added_approved_restarted_and_removed(server, tmp_path):
    file = tmp_path / "tools of mine.json"
    write(file, {"name": "echo"})
    target = f"{sys.executable} {NAUGHTY} --tools '{file}'"
    add = {"server_id": "mine", "target": target, "given": "COLOUR=blue\n\n"}
    assert browse(server, "POST", "/plugins/-/tools", **add)[0] == 303
    text = shown(server, r"<code>mine</code>.*active.*<code>echo</code>")
    assert "<code>COLOUR</code>" in text
    assert "blue" not in text
    write(file, {"name": "echo", "description": HOSTILE}, {"name": "new", "description": "New."})
    assert browse(server, "POST", "/plugins/-/tools/restart", server_id="mine")[0] == 303
    text = shown(server, "echo</b> is changed and waits for approval")
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    hashes = re.findall(r'name="tool" value="([0-9a-f]{64})"', text)
    assert len(hashes) == 2
    write(file, {"name": "echo", "description": "Once more."}, {"name": "new", "description": "New."})
    browse(server, "POST", "/plugins/-/tools/restart", server_id="mine")
    shown(server, r"Once more\.")
    status, text = browse(server, "POST", "/plugins/-/tools/approve", server_id="mine", tool=hashes[0])
    assert (status, "waits for approval" in text) == (404, True)  # it is not what was looked at
    for found in re.findall(r'name="tool" value="([0-9a-f]{64})"', shown(server, "mine")):
        assert browse(server, "POST", "/plugins/-/tools/approve", server_id="mine", tool=found)[0] == 303
    assert "waits for approval" not in shown(server, "<code>new</code>")
    assert browse(server, "POST", "/plugins/-/tools/remove", server_id="mine")[0] == 303
    assert "<code>mine</code>" not in shown(server, "There are none")


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"server_id": "Big", "target": "x"}, "a lower-case letter"),
        ({"server_id": "http", "target": "x"}, "is taken"),
        ({"server_id": "x", "target": "unclosed '"}, "the command line cannot be read"),
        ({"server_id": "x", "target": "  "}, "write a command line, or a URL"),
        ({"server_id": "x", "target": "y", "given": "no pair"}, "write NAME=VALUE"),
        ({"server_id": "x", "target": "http://y", "given": "A: b=c"}, "headers.A: b"),
    ],
)
def test_what_is_wrong_in_the_form_is_said(server, form, words):
    status, text = browse(server, "POST", "/plugins/-/tools", **form)
    assert status in (409, 422)
    assert words in text.replace("&#39;", "'")


def test_roles(server):
    tokens = {
        role: server.opcode("token", "create", "--agent", role, "--role", role).stdout.strip()
        for role in ("viewer", "operator", "author")
    }
    add = {"server_id": "own", "target": f"{sys.executable} {NAUGHTY}"}
    assert browse(server, "POST", "/plugins/-/tools", **add)[0] == 303
    shown(server, r"<code>own</code>.*active")
    for role, token in tokens.items():
        text = shown(server, "<code>own</code>", token)
        assert str(NAUGHTY) not in text
        assert ("/plugins/-/tools/restart" in text) == (role != "viewer")
        assert "/plugins/-/tools/remove" not in text
        assert 'action="/plugins/-/tools"' not in text
        for path, form in (
            ("", {"server_id": "evil", "target": "sh"}),
            ("/remove", {"server_id": "own"}),
            ("/approve", {"server_id": "own", "tool": "echo"}),
        ):
            assert browse(server, "POST", f"/plugins/-/tools{path}", token, **form)[0] == 403, (role, path)
        expected = 403 if role == "viewer" else 303
        assert browse(server, "POST", "/plugins/-/tools/restart", token, server_id="own")[0] == expected
    _, answer = server.ask("/api/v1/audit", token="a-long-random-text")
    assert {"tools.add", "tools.restart"} <= {entry["action"] for entry in answer["entries"]}
