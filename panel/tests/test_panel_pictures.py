"""The pictures of workflows on the pages: SVG, or text where there is nothing better."""

import re
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode
from xml.etree import ElementTree as Xml

import pytest
from serving import ASK, HELLO, serving


def page(server, path, form=None):
    """What a browser gets."""
    headers = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
    data = None if form is None else urlencode(form).encode()
    request = urllib.request.Request(server.url + path, data, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read().decode()


def picture(text):
    """The one drawing on a page."""
    (svg,) = re.findall(r'<svg xmlns="[^"]+" role="img".*?</svg>', text, re.DOTALL)
    return Xml.fromstring(svg)


def words(svg):
    return [element.text for element in svg.iter("{http://www.w3.org/2000/svg}text")]


@pytest.fixture(scope="module")
def asked(server):
    """A run that waits for an answer."""
    server.ask("/api/v1/define", {"name": "hello", "definition": HELLO, "agent_id": "ada"})
    server.ask("/api/v1/define", {"name": "ask", "definition": ASK, "agent_id": "ada"})
    _, ran = server.ask("/api/v1/run", {"template_name": "ask", "agent_id": "ada"})
    return ran["workflow_id"]


def test_a_run_with_how_its_steps_stand(server, asked):
    for path in (f"/workflows/{asked}", f"/-/workflows/{asked}"):
        svg = picture(page(server, path))
        assert svg[0].text == "Workflow"
        assert svg[1].text == "2 steps: 1 suspended, 1 pending"
        assert {"ask", "suspended", "after", "pending"} <= set(words(svg))
        assert "preview" not in words(svg)


def test_a_template_and_what_is_being_written(server, asked):
    svg = picture(page(server, "/templates/ask"))
    assert svg[1].text == "2 steps"
    assert "suspended" not in words(svg)
    definition = '{"steps": [{"id": "end", "action": "crypto.uuid"}]}'
    assert "crypto.uuid" in words(picture(page(server, "/-/check", {"definition": definition})))
    assert "hello" in words(picture(page(server, "/templates/-/new?template=hello")))


def test_words_stay_words(server, asked):
    hostile = "</text><script>alert(1)</script>'\""
    step = {"id": "wait", "type": "wait", "config": {"signal": hostile}}
    _, ran = server.ask("/api/v1/execute", {"definition": {"steps": [step]}, "name": hostile, "wait": False})
    text = page(server, f"/workflows/{ran['workflow_id']}")
    assert "<script>alert" not in text
    assert "<script>alert(1)" in " ".join(words(picture(text)))


def test_a_hundred_watch_a_large_run_and_the_server_answers_others(server):
    steps = [{"id": f"s{i}", "action": "crypto.uuid"} for i in range(500)]
    _, ran = server.ask("/api/v1/execute", {"definition": {"steps": steps}})
    with ThreadPoolExecutor(20) as crowd:
        pages = [crowd.submit(page, server, f"/-/workflows/{ran['workflow_id']}") for _ in range(100)]
        began = time.monotonic()
        assert server.ask("/healthz")[1]["status"] == "ok"
        assert time.monotonic() - began < 10
        drawn = {Xml.tostring(picture(one.result())) for one in pages}
    assert len(drawn) == 1


def test_without_graphviz_it_is_drawn_as_text(tmp_path):
    with serving(tmp_path, OPCODE_PLUGINS_DENY="graphviz") as server:
        server.ask("/api/v1/define", {"name": "hello", "definition": HELLO, "agent_id": "ada"})
        text = page(server, "/templates/hello")
    assert '<pre class="picture"' in text
    assert "│ crypto.hash │" in text
