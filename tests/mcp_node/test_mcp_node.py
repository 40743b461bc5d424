"""A second, independent client, that of the TypeScript SDK, over every transport, on a real server.

What one client does on one transport is a story of operations that `client.mjs` plays; the tests look at what came of it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
OPCODE = str(Path(sys.executable).with_name("opcode"))
PINNED = json.loads((HERE / "package.json").read_text())["dependencies"]
READY, INSTALLED, TOLD = 30.0, 120.0, 100.0
"""Seconds in which a loaded machine starts the server, installs the client, and plays a story."""

pytestmark = pytest.mark.timeout(300)
WAYS = ("sse", "http", "bridge", "alone")
"""SSE, Streamable HTTP, and `opcode mcp` on the HOME of a running server, or where there is none."""
TOOLS = ("define", "run", "status", "signal", "query", "diagram")
TELL = {
    "inputs": {"text": "hello"},
    "steps": [{"id": "tell", "action": "workflow.notify", "params": {"message": "${{inputs.text}}"}}],
}
PACED = {
    "steps": [
        {"id": "soon", "action": "crypto.uuid"},
        {
            "id": "pause",
            "action": "shell.exec",
            "depends_on": ["soon"],
            "params": {"command": "sleep", "args": ["0.4"]},
        },
        {"id": "last", "action": "crypto.uuid", "depends_on": ["pause"]},
    ]
}
BROKEN = {"steps": [{"id": "a", "action": "crypto.uuid"}, {"id": "b", "action": "no.such.action"}]}
LATE = "Received a progress notification for an unknown token"
YES = {"action": "accept", "content": {"choice": "yes", "reasoning": "they asked nicely"}}
NO = {"action": "decline"}


def call(tool: str, to: str, client: str = "main", /, **arguments: Any) -> dict[str, Any]:
    return {"do": "call", "as": to, "client": client, "name": f"opcode.{tool}", "arguments": arguments}


def story(way: str) -> list[Any]:
    """Ada lists the tools and cannot be asked; Bob has not listed them, and can."""
    ada, bob, run = f"ada-{way}", f"bob-{way}", "{$ran.structuredContent.workflow_id}"
    greet, tell = f"greet-{way}", f"tell-{way}"
    asked = {"elicitation": {} if way == "sse" else {"form": {}}, "answers": [YES, NO]}
    return [
        [{"do": "connect"}, {"do": "connect", "as": "bob", "client": "bob", **asked}],
        {"do": "ping"},
        {"do": "tools"},
        {"do": "example", "tool": "opcode.define"},
        call("define", "defined", name=greet, definition="{$example}", agent_id=ada),
        {**call("run", "ran", template_name=greet, agent_id=ada), "progress": True},
        call(
            "signal",
            "signalled",
            workflow_id=run,
            signal_type="decision",
            payload={"choice": "yes"},
            agent_id=ada,
            reasoning="all were greeted",
        ),
        {"do": "settled", "workflow_id": run},
        call("query", "runs", resource="workflows", filter={"template_name": greet}),
        call("query", "events", resource="events", filter={"workflow_id": run}),
        call("query", "templates", resource="templates", filter={"name": greet}),
        call("diagram", "drawn", format="ascii", workflow_id=run),
        {"do": "resources"},
        {"do": "resource_templates"},
        {"do": "read", "as": "guide", "uri": "opcode://guide"},
        {"do": "read", "as": "actions", "uri": "opcode://actions"},
        {"do": "read", "as": "template", "uri": f"opcode://templates/{greet}"},
        {"do": "read", "as": "nowhere", "uri": "opcode://templates/nowhere"},
        {"do": "prompts"},
        {"do": "prompt", "name": "write_workflow", "arguments": {"task": "water the plants"}},
        call("define", "paced", name=f"paced-{way}", definition=PACED, agent_id=ada),
        {**call("run", "paced_run", template_name=f"paced-{way}", agent_id=ada), "progress": True},
        call("define", "tell", name=tell, definition=TELL, agent_id=ada),
        {"do": "subscribe", "as": "ada_subscribed", "uri": f"opcode://inbox/{ada}"},
        {"do": "subscribe", "as": "bob_subscribed", "client": "bob", "uri": f"opcode://inbox/{bob}"},
        call("run", "first", template_name=tell, agent_id=ada, params={"text": "first"}),
        call("run", "second", "bob", template_name=tell, agent_id=bob, params={"text": "second"}),
        call("run", "third", template_name=tell, agent_id=ada, params={"text": "third"}),
        {"do": "told", "as": "ada_told", "method": "notifications/resources/updated", "count": 2},
        {
            "do": "told",
            "as": "bob_told",
            "client": "bob",
            "method": "notifications/resources/updated",
            "count": 1,
        },
        {"do": "told", "as": "ada_said", "method": "notifications/message", "count": 2},
        {"do": "told", "as": "bob_said", "client": "bob", "method": "notifications/message", "count": 1},
        {"do": "read", "as": "inbox", "uri": f"opcode://inbox/{ada}"},
        call("run", "answered", "bob", template_name=greet, agent_id=bob),
        call("run", "declined", "bob", template_name=greet, agent_id=bob),
        {
            "do": "subscribe",
            "as": "run_subscribed",
            "client": "bob",
            "uri": "opcode://workflows/{$declined.structuredContent.workflow_id}",
        },
        call(
            "signal",
            "told_later",
            "bob",
            workflow_id="{$declined.structuredContent.workflow_id}",
            signal_type="decision",
            payload={"choice": "no"},
            agent_id=bob,
        ),
        {
            "do": "told",
            "as": "bob_told_more",
            "client": "bob",
            "method": "notifications/resources/updated",
            "count": 2,
        },
        call("define", "refused_bob", "bob", name="broken", definition=BROKEN, agent_id=bob),
        call("define", "refused_ada", name="broken", definition=BROKEN, agent_id=ada),
        {"do": "log_level", "as": "quiet", "level": "warning"},
        # What the first of these says would come before the second one's news of the inbox, on the same stream.
        call("run", "unsaid", template_name=tell, agent_id=ada, params={"text": "fourth"}),
        call("run", "after_it", template_name=tell, agent_id=ada, params={"text": "fifth"}),
        {"do": "told", "as": "ada_told_more", "method": "notifications/resources/updated", "count": 4},
        {"do": "ping", "as": "still_there"},
    ]


@pytest.fixture(scope="module")
def node() -> str:
    """Node with the SDK, as the lock says; without it nothing here can be tested."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("the second MCP client was NOT tested: node and npm are not on this machine")
    if installed() != locked():
        try:
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(
                command, cwd=HERE, capture_output=True, text=True, timeout=INSTALLED, check=False
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"the second MCP client was NOT tested: npm ci took more than {INSTALLED:g} s")
        if done.returncode:
            pytest.skip(f"the second MCP client was NOT tested: npm ci failed: {done.stderr.strip()[-500:]}")
    return node


def locked() -> dict[str, str]:
    return _versions(HERE / "package-lock.json")


def installed() -> dict[str, str]:
    """What npm says at the end of an installation; empty while there is none, or half of one."""
    path = HERE / "node_modules/.package-lock.json"
    return _versions(path) if path.exists() else {}


def _versions(path: Path) -> dict[str, str]:
    packages = json.loads(path.read_text())["packages"]
    return {name: package["version"] for name, package in packages.items() if name}


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name.startswith("COV")}
    return {**kept, "HOME": str(home), "PATH": os.environ["PATH"]}


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def url(node: str, home: Path) -> Iterator[str]:
    with serving(home) as (url, _):
        yield url


@contextmanager
def serving(home: Path) -> Iterator[tuple[str, int]]:
    """A real server with a HOME of its own: its address and its process id."""
    path = home / "serve.log"
    with path.open("w") as log:
        process = subprocess.Popen(
            [OPCODE, "serve", "--listen", "127.0.0.1:0"], env=environment(home), cwd=home, stderr=log
        )
    try:
        yield _address(process, path), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert "Traceback" not in path.read_text()


def _address(process: "subprocess.Popen[bytes]", path: Path) -> str:
    until = time.monotonic() + READY
    while time.monotonic() < until and process.poll() is None:
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n") and json.loads(line)["message"] == "ready":
                return str(json.loads(line)["fields"]["url"])
        time.sleep(0.05)
    pytest.fail(f"the server did not get ready: {path.read_text()}")


class Told:
    """What came of a story: results by name, and what each client was told, asked and complained of."""

    def __init__(self, way: str, told: dict[str, Any]) -> None:
        self.way = way
        self.results: dict[str, Any] = told["results"]
        self.clients: dict[str, Any] = told["clients"]

    def __getitem__(self, name: str) -> Any:
        result = self.results[name]
        assert "thrown" not in result, result
        return result

    def data(self, name: str) -> Any:
        """What a tool gave, the same as text and as structure."""
        result = self[name]
        assert not result.get("isError"), result["content"]
        assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
        return result["structuredContent"]

    def text(self, name: str) -> str:
        """What stands in a resource."""
        (part,) = self[name]["contents"]
        return str(part["text"])


def play(node: str, operations: list[Any], home: Path, *where: str) -> dict[str, Any]:
    done = subprocess.run(
        [node, str(HERE / "client.mjs"), *where],
        input=json.dumps(operations),
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=TOLD,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture(scope="module", params=WAYS)
def told(request, node: str, tmp_path_factory) -> Told:
    way = request.param
    if way == "alone":
        home, where = tmp_path_factory.mktemp("alone"), ("stdio", OPCODE, "mcp")
    else:
        home, url = request.getfixturevalue("home"), request.getfixturevalue("url")
        ways = {
            "sse": ("sse", f"{url}/sse"),
            "http": ("http", f"{url}/mcp"),
            "bridge": ("stdio", OPCODE, "mcp"),
        }
        where = ways[way]
    return Told(way, play(node, story(way), home, *where))


def test_the_lock_pins_every_version_and_names_no_registry():
    text = (HERE / "package-lock.json").read_text()
    assert locked()["node_modules/@modelcontextprotocol/sdk"] == PINNED["@modelcontextprotocol/sdk"]
    assert '"resolved"' not in text
    assert "://" not in text, "take out what npm writes under `funding`"


def test_it_says_who_it_is(told: Told):
    for name in ("connect", "bob"):
        greeting = told[name]
        assert greeting["server"]["name"] == "opcode"
        assert greeting["protocol_version"] == "2025-11-25"
        assert greeting["capabilities"]["resources"]["subscribe"] is True
        assert "opcode://guide" in greeting["instructions"]


def test_six_tools_with_schemas_and_hints(told: Told):
    tools = {tool["name"]: tool for tool in told["tools"]["tools"]}
    assert set(tools) == {f"opcode.{name}" for name in TOOLS}
    for name, tool in tools.items():
        assert tool["title"]
        assert tool["inputSchema"]["additionalProperties"] is False, name
        assert set(tool["inputSchema"]["required"]) <= set(tool["inputSchema"]["properties"])
        assert tool["outputSchema"]["type"] == "object", name
    hints = {name: tool["annotations"] for name, tool in tools.items()}
    looks = {name for name, hint in hints.items() if hint["readOnlyHint"]}
    assert looks == {"opcode.status", "opcode.query", "opcode.diagram"}
    assert {name for name, hint in hints.items() if hint["destructiveHint"]} == {"opcode.signal"}
    assert {name for name, hint in hints.items() if hint["openWorldHint"]} == {"opcode.run", "opcode.signal"}


def test_the_example_in_the_description_runs_up_to_its_decision(told: Told):
    assert told.data("defined") == {"name": f"greet-{told.way}", "version": "v1", "warnings": []}
    ran = told.data("ran")
    assert ran["status"] == "suspended"
    assert ran["steps"]["greet"]["output"]["iterations"] == 2
    (decision,) = ran["pending_decisions"]
    assert decision["context"]["prompt"] == "Greeted 2 people. Go on?"
    assert [option["id"] for option in decision["options"]] == ["yes", "no"]


def test_progress_is_heard_while_the_run_goes_on(told: Told):
    assert told.data("paced_run")["status"] == "completed"
    first = told["paced_run"]["heard"][0]
    assert (first["progress"], first["total"]) == (1, 3)


def test_progress_reaches_the_last_step_before_the_answer(told: Told):
    assert told["ran"]["sent"][-1]["progress"] == 3  # both greetings, and the loop around them
    assert told["paced_run"]["sent"][-1]["progress"] == 3
    assert told["defined"]["sent"] == []  # nobody asked for it


def test_progress_rises_each_time(told: Told):
    for run in ("ran", "paced_run"):
        done = [step["progress"] for step in told[run]["sent"]]
        assert done == sorted(set(done)), told[run]["sent"]


def test_a_signal_answers_the_decision_and_the_run_completes(told: Told):
    signalled = told.data("signalled")
    assert (signalled["ok"], signalled["resumed"]) == (True, True)
    ended = told.data("settled")
    assert ended["status"] == "completed", ended["error"]
    assert ended["output"] == {"greeted": 2, "choice": "yes"}
    assert ended["pending_decisions"] == []
    assert ended["steps"]["ask"]["output"]["reasoning"] == "all were greeted"
    assert ended["steps"]["ask"]["output"]["resolved_by"] == f"ada-{told.way}"
    assert ended["steps"]["report"]["status"] == "completed"
    assert [event["sequence"] for event in ended["events"]] == list(range(1, len(ended["events"]) + 1))


def test_lists_show_the_run_its_events_and_its_template(told: Told):
    run_id = told.data("ran")["workflow_id"]
    (run,) = told.data("runs")["workflows"]
    assert (run["workflow_id"], run["status"]) == (run_id, "completed")
    events = told.data("events")["events"]
    assert events == told.data("settled")["events"]
    (template,) = told.data("templates")["templates"]
    assert template["definition"] == told["example"]


def test_the_diagram_shows_how_each_step_went(told: Told):
    drawing = told.data("drawn")["diagram"]
    for step in ("greet", "ask", "report"):
        assert step in drawing
    assert drawing.count("[OK]") >= 3, drawing


def test_resources_are_listed_and_read(told: Told):
    listed = {resource["uri"] for resource in told["resources"]["resources"]}
    assert {"opcode://guide", "opcode://actions", f"opcode://templates/greet-{told.way}"} <= listed
    kinds = {kind["uriTemplate"] for kind in told["resource_templates"]["resourceTemplates"]}
    assert kinds == {"opcode://templates/{name}", "opcode://workflows/{id}", "opcode://inbox/{agent}"}
    assert told.text("guide").startswith("# How to write OPCODE workflows")
    actions = {action["name"]: action for action in json.loads(told.text("actions"))["actions"]}
    assert actions["workflow.log"]["params_schema"]["type"] == "object"
    assert json.loads(told.text("template"))["definition"] == told["example"]


def test_what_is_not_there_is_an_error_that_names_it(told: Told):
    thrown = told.results["nowhere"]["thrown"]
    assert thrown["code"] == -32602
    assert "NOT_FOUND" in thrown["message"]
    assert "nowhere" in thrown["message"]


def test_a_prompt_is_filled_in(told: Told):
    assert {prompt["name"] for prompt in told["prompts"]["prompts"]} == {
        "write_workflow",
        "review_failed_run",
    }
    (message,) = told["prompt"]["messages"]
    assert message["role"] == "user"
    assert "water the plants" in message["content"]["text"]


def test_a_notice_reaches_those_who_subscribed_and_nobody_else(told: Told):
    for run in ("first", "second", "third"):
        assert told.data(run)["steps"]["tell"]["output"] == {"notified": True}
    ada, bob = (f"opcode://inbox/{name}-{told.way}" for name in ("ada", "bob"))
    assert [one["params"]["uri"] for one in told["ada_told"]] == [ada, ada]
    # Bob's own came after Ada's first on the same stream, so that one would be here if it had been sent to him.
    assert [one["params"]["uri"] for one in told["bob_told"]] == [bob]
    notices = json.loads(told.text("inbox"))["notices"]
    assert [notice["message"] for notice in notices] == ["third", "first"]
    assert ada not in {one["params"].get("uri") for one in told.clients["bob"]["told"]}


@pytest.mark.parametrize(("transport", "path"), [("sse", "sse"), ("http", "mcp")])
def test_who_only_subscribed_is_told_too(node: str, url: str, home: Path, transport: str, path: str):
    tell, eve = f"tell-only-{transport}", f"eve-{transport}"
    updated = {"do": "told", "method": "notifications/resources/updated", "client": "watcher", "count": 1}
    operations = [
        [{"do": "connect"}, {"do": "connect", "as": "watcher", "client": "watcher"}],
        {"do": "subscribe", "client": "watcher", "uri": f"opcode://inbox/{eve}"},
        call("define", "defined", name=tell, definition=TELL, agent_id=eve),
        call("run", "ran", template_name=tell, agent_id=eve),
        updated,
    ]
    told = Told(transport, play(node, operations, home, transport, f"{url}/{path}"))
    assert told.data("ran")["steps"]["tell"]["output"] == {"notified": True}
    assert [one["params"]["uri"] for one in told["told"]] == [f"opcode://inbox/{eve}"]
    assert {one["method"] for one in told.clients["watcher"]["told"]} == {updated["method"]}


def test_a_run_that_was_subscribed_to_tells_when_it_goes_on(told: Told):
    run_id = told.data("declined")["workflow_id"]
    assert told.data("told_later")["ok"] is True
    uris = [one["params"]["uri"] for one in told["bob_told_more"]]
    assert uris[1:]
    assert set(uris[1:]) == {f"opcode://workflows/{run_id}"}


def test_log_messages_carry_the_notice_to_its_agent_alone(told: Told):
    assert said(told, "main") == ["first", "third"]
    assert said(told, "bob") == ["second"]


def said(told: Told, client: str) -> list[str]:
    logged = [
        one["params"] for one in told.clients[client]["told"] if one["method"] == "notifications/message"
    ]
    return [params["data"]["message"] for params in logged if params["logger"] == "workflow.notify"]


def test_who_sends_log_messages_says_so_and_can_be_told_to_be_quiet(told: Told):
    assert "logging" in told["connect"]["capabilities"]
    assert told["quiet"] == {}
    for run in ("unsaid", "after_it"):
        assert told.data(run)["steps"]["tell"]["output"] == {"notified": True}
    assert len(told["ada_told_more"]) == 4
    assert said(told, "main") == ["first", "third"]


def test_the_person_at_the_client_is_asked_and_answers_within_the_run(told: Told):
    first, second = told.clients["bob"]["asked"]
    assert first["message"].startswith("Greeted 2 people. Go on?")
    assert first["requestedSchema"]["properties"]["choice"]["enum"] == ["yes", "no"]
    answered = told.data("answered")
    assert (answered["status"], answered["output"]) == ("completed", {"greeted": 2, "choice": "yes"})
    assert answered["steps"]["ask"]["output"]["reasoning"] == "they asked nicely"
    assert second["message"] == first["message"]
    declined = told.data("declined")
    assert declined["status"] == "suspended"
    assert [decision["step_id"] for decision in declined["pending_decisions"]] == ["ask"]


def test_who_cannot_be_asked_is_not(told: Told):
    assert told.clients["main"]["asked"] == []


@pytest.mark.parametrize("agent", ["ada", "bob"])
def test_a_refusal_begins_with_its_code_and_names_the_path(told: Told, agent: str):
    refused = told[f"refused_{agent}"]
    assert refused["isError"] is True
    text = refused["content"][0]["text"]
    assert text.startswith("VALIDATION_ERROR")
    assert "steps[1].action" in text
    assert "no.such.action" in text


def test_neither_sdk_had_anything_to_complain_of(told: Told):
    """But of progress that came together with the answer, which this SDK mistakes for that of a foreign call."""
    for name, seen in told.clients.items():
        complaints = [text for text in seen["complaints"] if not text.startswith(LATE)]
        assert complaints == [], name
    assert told["still_there"] == {}


def test_the_program_ends_with_its_client(told: Told):
    over_stdio = told.way in ("bridge", "alone")
    ended = {"code": 0, "signal": None} if over_stdio else None
    assert {name: seen["ended"] for name, seen in told.clients.items()} == {"main": ended, "bob": ended}


def test_the_client_hears_that_the_server_is_gone(node: str, tmp_path: Path):
    with serving(tmp_path) as (_, pid):
        operations = [{"do": "connect"}, {"do": "ping"}, {"do": "stopped", "pid": pid}]
        told = Told("bridge", play(node, operations, tmp_path, "stdio", OPCODE, "mcp"))
    assert told["ping"] == {}
    assert told.results["stopped"] is True
