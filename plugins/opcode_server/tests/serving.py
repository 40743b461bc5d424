"""A real `opcode serve` in a subprocess, and ways to talk to it."""

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mcp_types as t
from httpx2 import AsyncClient
from mcp import Client, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

OPCODE = str(Path(sys.executable).with_name("opcode"))
READY = 20.0
"""Seconds in which a loaded machine starts it."""

HELLO = {
    "inputs": {"name": "you"},
    "steps": [{"id": "hello", "action": "crypto.hash", "params": {"data": "${{inputs.name}}"}}],
    "output": {"name": "${{inputs.name}}", "hash": "${{steps.hello.hash}}"},
}
ASK = {
    "inputs": {"what": "it"},
    "steps": [
        {
            "id": "ask",
            "type": "reasoning",
            "config": {
                "prompt_context": "Do ${{inputs.what}}?",
                "options": [{"id": "yes", "description": "do"}, {"id": "no", "description": "do not"}],
            },
        },
        {"id": "after", "action": "workflow.log", "depends_on": ["ask"], "params": {"message": "ok"}},
    ],
    "output": {"choice": "${{steps.ask.choice}}"},
}
NOTIFY = {
    "inputs": {"text": "hello"},
    "steps": [{"id": "tell", "action": "workflow.notify", "params": {"message": "${{inputs.text}}"}}],
}
SLOW = {
    "inputs": {"seconds": 30},
    "steps": [
        {
            "id": "sleep",
            "action": "shell.exec",
            "params": {"command": "sleep", "args": ["${{inputs.seconds}}"]},
        }
    ],
}


@dataclass
class Server:
    """A running server.

    Attributes:
        url: where it is.
        home: its HOME.
        process: itself.
        log: the lines that it wrote, as they are.
    """

    url: str
    home: Path
    process: subprocess.Popen[str]
    environment: dict[str, str]
    log: list[str] = field(default_factory=list)

    def ask(
        self,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        method: str | None = None,
        **headers: str,
    ) -> tuple[int, Any]:
        """The status and the JSON of an answer over HTTP."""
        request = urllib.request.Request(
            f"{self.url}{path}",
            data=None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode(),
            method=method,
            headers={
                "Content-Type": "application/json",
                **{k.replace("_", "-"): v for k, v in headers.items()},
            },
        )
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, _json(response.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, _json(refused.read())

    def opcode(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """A command of the same user."""
        return subprocess.run(
            [OPCODE, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=self.home,
            **options,
        )

    def stop(self, number: int = signal.SIGTERM, within: float = 15.0) -> int:
        """Its exit code."""
        self.process.send_signal(number)
        return self.process.wait(within)

    def client(
        self, transport: str, mode: str = "auto", *, token: str | None = None, **options: Any
    ) -> Client:
        """The official client over `sse`, `http` or `stdio`."""
        return Client(self._transport(transport, token), mode=mode, **options)

    def _transport(self, transport: str, token: str | None) -> AbstractAsyncContextManager[Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if transport == "sse":
            return sse_client(f"{self.url}/sse", headers=headers)
        if transport == "stdio":
            command = StdioServerParameters(command=OPCODE, args=["mcp"], env=self.environment)
            return stdio_client(command)
        return _streamable_http(f"{self.url}/mcp", headers)


@asynccontextmanager
async def _streamable_http(url: str, headers: dict[str, str]) -> AsyncIterator[Any]:
    async with (
        AsyncClient(headers=headers, timeout=60) as http,
        streamable_http_client(url, http_client=http) as streams,
    ):
        yield streams


@contextmanager
def serving(home: Path, *arguments: str, **variables: str) -> Iterator[Server]:
    """A server with a home of its own, on a free port, until the end of the block."""
    environment = environment_of(home, **variables)
    process = subprocess.Popen(
        [OPCODE, "serve", "--listen", "127.0.0.1:0", *arguments],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        cwd=home,
    )
    timer = threading.Timer(READY, process.kill)
    timer.start()
    log: list[str] = []
    try:
        assert process.stderr is not None
        for line in process.stderr:
            log.append(line)
            if line.startswith("{") and json.loads(line).get("message") == "ready":
                break
        timer.cancel()
        assert log, "it ended without a word"
        assert '"ready"' in log[-1], "".join(log)
        server = Server(json.loads(log[-1])["fields"]["url"], home, process, environment, log)
        reader = threading.Thread(target=lambda: log.extend(process.stderr or ()), daemon=True)
        reader.start()
        yield server
    finally:
        timer.cancel()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stderr is not None:
            if "reader" in locals():
                reader.join(5)
            process.stderr.close()
    assert "Traceback" not in "".join(log), "".join(log)


def environment_of(home: Path, **variables: str) -> dict[str, str]:
    """Nothing of ours but what coverage needs."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("COV")}
    return {**kept, "HOME": str(home), "PATH": os.environ["PATH"], **variables}


def data(result: t.CallToolResult) -> Any:
    """What a tool gave, the same as text and as structure."""
    assert not result.is_error, result.content
    text = result.content[0]
    assert isinstance(text, t.TextContent)
    assert json.loads(text.text) == result.structured_content
    return result.structured_content


def refusal(result: t.CallToolResult) -> str:
    """What a tool said when it refused."""
    assert result.is_error
    text = result.content[0]
    assert isinstance(text, t.TextContent)
    return text.text


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


Json = Mapping[str, Any]
