"""What a call costs over MCP: a real `opcode serve` on a file of its own, as durable as it is by default.

Not named after the protocol alone: on the path of these scripts that would hide the SDK's package.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import mcp_client
from cases import Case, chain
from mcp_client import MODERN, NAME, WAYS

OPCODE = str(Path(sys.executable).with_name("opcode"))
CLIENTS, CALLS = 8, 50
IDLE = 3.0
"""Seconds for which the idle server is watched, after one in which it comes to rest."""
READY = 20.0
"""Seconds after which a server that is not ready is given up."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A figure that is no time in microseconds, and how much of it there may be.

    Attributes:
        unit: what the figure is in.
        limit: what the median may be at most, or at least; None when nothing is promised.
        at_least: more of it is better.
    """

    unit: str
    limit: float | None = None
    at_least: bool = False

    def is_kept(self, median: float) -> bool:
        """Whether that is good enough."""
        if self.limit is None:
            return True
        return median >= self.limit if self.at_least else median <= self.limit

    def __str__(self) -> str:
        return "" if self.limit is None else f"{'≥' if self.at_least else '≤'} {self.limit:g}"


START, MEMORY, REST = "opcode serve, start to ready", "opcode serve, memory", "opcode serve, idle"
ALONE = {way: f"opcode.run, {way}, 1 client" for way in WAYS}
TOGETHER = {way: f"opcode.run, {way}, {CLIENTS} clients" for way in WAYS}
BUDGETS: Mapping[str, Budget] = {
    START: Budget("s", 3.0),
    MEMORY: Budget("MiB"),
    REST: Budget("% CPU", 1.0),
    **dict.fromkeys(ALONE.values(), Budget("ms", 5.0)),
    **dict.fromkeys(TOGETHER.values(), Budget("runs/s", 300.0, at_least=True)),
}
"""By the name of the case."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its process, and where it listens."""

    pid: int
    url: str


@contextmanager
def serving() -> Iterator[Server]:
    """A server with a new home, on a free port, from when it is ready until the end of the block."""
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(
            [OPCODE, "serve", "--listen", "127.0.0.1:0"],
            env={"HOME": home, "PATH": os.environ["PATH"]},
            stderr=subprocess.PIPE,
            cwd=home,
        )
        assert process.stderr is not None
        log = process.stderr
        deadline = threading.Timer(READY, process.kill)
        deadline.start()
        try:
            url = _address(log)
            deadline.cancel()
            threading.Thread(target=log.read, daemon=True).start()  # it must not wait for us to read on
            yield Server(process.pid, url)
        finally:
            deadline.cancel()
            process.terminate()
            try:
                process.wait(READY)
            finally:
                process.kill()


def _address(log: Iterator[bytes]) -> str:
    """From the log, once it says that it is ready."""
    said = b""
    for line in log:
        said += line
        record = json.loads(line) if line.startswith(b"{") else {}
        if record.get("message") == "ready":
            return str(record["fields"]["url"])
    raise RuntimeError(f"the server did not start: {said.decode()}")


def mcp_cases() -> Iterator[Case]:
    """Starts, one server at rest, and the same one at work."""
    yield START, 3, _start
    with ExitStack() as stack:
        server = cache(lambda: stack.enter_context(serving()))
        url = cache(lambda: _defined(server().url))
        yield MEMORY, 1, partial(_memory, server)
        yield REST, 1, partial(_rest, server)
        client = cache(lambda way: stack.enter_context(closing(WAYS[way](url()))))
        for way in WAYS:
            yield ALONE[way], 200, partial(_alone, partial(client, way))
            yield TOGETHER[way], 3, partial(_together, way, url)


def _defined(url: str) -> str:
    """The same server, with the template that is run: ten pure steps, each after the one before."""
    steps = chain(10, action="crypto.hash", params={"data": "x"})
    with closing(WAYS[f"HTTP {MODERN}"](url)) as client:
        client.call("opcode.define", {"name": NAME, "definition": steps, "agent_id": NAME})
    return url


async def _start() -> float:
    """Seconds."""
    began = time.perf_counter()
    with serving():
        return time.perf_counter() - began


async def _memory(server: Callable[[], Server]) -> float:
    """MiB that a server has resident when it has just started."""
    status = Path(f"/proc/{server().pid}/status").read_text("utf-8")  # noqa: ASYNC240 - nothing else runs
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


async def _rest(server: Callable[[], Server]) -> float:
    """Percent of a core that a server takes to which nobody speaks."""
    clock = (~server().pid << 3) | 2  # of that process, as clock_getcpuclockid(3) names it
    time.sleep(1.0)  # noqa: ASYNC251 - nothing else runs
    before = time.clock_gettime(clock)
    time.sleep(IDLE)  # noqa: ASYNC251
    return (time.clock_gettime(clock) - before) / IDLE * 100


async def _alone(client: Callable[[], mcp_client.Client]) -> float:
    """Milliseconds from a call to its answer."""
    known = client()
    began = time.perf_counter()
    mcp_client.run(known)
    return (time.perf_counter() - began) * 1000


async def _together(way: str, url: Callable[[], str]) -> float:
    """Calls a second of a crowd, which has a process and so a core of its own."""
    command = [sys.executable, mcp_client.__file__, way, url(), str(CLIENTS), str(CALLS)]
    crowd = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: ASYNC221
    if crowd.returncode:
        raise RuntimeError(crowd.stderr)
    return float(crowd.stdout)
