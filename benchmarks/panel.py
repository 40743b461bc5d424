"""The panel over a large database, and with a crowd before one live run: a real `opcode serve`."""

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path

from cases import Case
from crowd import RUNS, fill
from over_mcp import Budget

OPCODE = str(Path(sys.executable).with_name("opcode"))
READY = 30.0
WATCHERS = 100
ROUNDS, LOOPS = 200, 8
"""What the run that the crowd watches does."""
RUN = f"{RUNS // 2 + 1:032x}"
PAGES = {
    "home": "/",
    "home, inner": "/-/home",
    "workflows": "/workflows",
    "workflows, failed": "/workflows?status=failed",
    "workflows, three filters": "/workflows?status=failed&agent_id=agent%203&template_name=template%203",
    "workflows, none": "/workflows?agent_id=nobody",
    "run": f"/workflows/{RUN}",
    "decisions": "/decisions",
    "events": "/events",
    "events, frequent": "/events?event_type=step_completed",
    "events, rare": "/events?event_type=workflow_failed",
    "events, none": "/events?event_type=nothing",
    "events of a run": f"/events?workflow_id={RUN}",
    "events of a step": f"/events?workflow_id={RUN}&step_id=step_40",
    "templates": "/templates",
    "template": "/templates/template%207",
    "agents": "/agents",
    "plugins": "/plugins",
}
LAST = ("workflows, last page", "events, page 200")
CROWD = f"pace of a run with {WATCHERS} browsers before it"
BUDGETS = {
    **{f"panel: {name}": Budget("ms", 200.0) for name in (*PAGES, *LAST)},
    CROWD: Budget("% of alone", 90.0, at_least=True),
}


@contextmanager
def serving(home: str) -> Iterator[tuple[str, int]]:
    """Where it listens, until the end of the block."""
    process = subprocess.Popen(
        [OPCODE, "serve", "--listen", "127.0.0.1:0"],
        env={"HOME": home, "PATH": os.environ["PATH"]},
        stderr=subprocess.PIPE,
        text=True,
        cwd=home,
    )
    assert process.stderr is not None
    deadline = threading.Timer(READY, process.kill)
    deadline.start()
    try:
        url = next(json.loads(line)["fields"]["url"] for line in process.stderr if '"ready"' in line)
        deadline.cancel()
        threading.Thread(target=process.stderr.read, daemon=True).start()
        host, _, port = url.removeprefix("http://").partition(":")
        yield host, int(port)
    finally:
        deadline.cancel()
        process.terminate()
        process.wait(30)


def ask(where: tuple[str, int], path: str, body: object = None) -> tuple[float, str]:
    """Seconds and text of an answer."""
    wire = http.client.HTTPConnection(*where, timeout=60)
    headers = {"Accept": "text/html", "Content-Type": "application/json"}
    began = time.perf_counter()
    wire.request("POST" if body else "GET", path, json.dumps(body) if body else None, headers)
    answer = wire.getresponse()
    text = answer.read().decode()
    took = time.perf_counter() - began
    wire.close()
    assert answer.status == 200, (path, answer.status, text[:300])
    return took, text


def panel_cases() -> Iterator[Case]:
    """Every page over a large database, and the crowd."""
    stack = ExitStack()
    large = cache(lambda: stack.enter_context(_large()))
    for name, path in PAGES.items():
        yield f"panel: {name}", 10, _page(large, _at(path))
    yield f"panel: {LAST[0]}", 10, _page(large, _behind("/workflows", 300))
    yield f"panel: {LAST[1]}", 10, _page(large, _behind("/events", 200))
    yield CROWD, 5, _crowd
    stack.close()


def _page(
    large: Callable[[], tuple[str, int]], path: Callable[[tuple[str, int]], str]
) -> Callable[[], Awaitable[float]]:
    async def once() -> float:
        where = large()
        return ask(where, path(where))[0] * 1000

    return once


def _at(path: str) -> Callable[[tuple[str, int]], str]:
    return lambda _: path


def _behind(first: str, pages: int) -> Callable[[tuple[str, int]], str]:
    """The path of a page that many lie before."""

    @cache
    def path(where: tuple[str, int]) -> str:
        here = first
        for _ in range(pages):
            found = re.search(r'href="([^"]+cursor=[^"]+)">More', ask(where, here)[1])
            if found is None:
                break
            here = found[1].replace("&amp;", "&")
        return here

    return path


@contextmanager
def _large() -> Iterator[tuple[str, int]]:
    with tempfile.TemporaryDirectory() as home:
        with serving(home):
            pass  # makes the schema
        database = Path(home) / ".opcode/opcode.db"
        fill(database)
        with serving(home) as where:
            ask(where, "/")
            time.sleep(3)  # what was saved is counted once, beside the pages
            yield where


def _loop(number: int) -> dict[str, object]:
    write = {"path": "${{inputs.path}}", "content": "x"}
    return {
        "id": f"loop_{number}",
        "type": "loop",
        "depends_on": [f"loop_{number - 1}" if number else "gate"],
        "config": {
            "mode": "while",
            "condition": f"iter.index < {ROUNDS}",
            "max_iter": ROUNDS,
            "body": [{"id": "write", "action": "fs.write", "params": write}],
        },
    }


WATCHED = {
    "inputs": {"path": ""},
    "steps": [
        {"id": "gate", "type": "wait", "config": {"signal": "go"}},
        *(_loop(number) for number in range(LOOPS)),
    ],
}


async def _crowd() -> float:
    """The share of its pace that a run keeps while browsers look at it, compared with the runs before and after."""
    with tempfile.TemporaryDirectory() as home, serving(home) as where:
        before, watched, after = (_run(where, watchers) for watchers in (0, WATCHERS, 0))
        return 100 * (before + after) / 2 / watched


def _run(where: tuple[str, int], watchers: int) -> float:
    """Seconds from the signal, which is given when all look on, to the end."""
    path = str(Path(tempfile.gettempdir()) / f"opcode-bench-{os.getpid()}")
    call = {"definition": {**WATCHED, "inputs": {"path": path}}, "wait": False, "name": "watched"}
    run_id = json.loads(ask(where, "/api/v1/execute", call)[1])["workflow_id"]
    said = {"workflow_id": run_id, "signal_type": "data", "payload": {"signal": "go"}}
    with _browsers(where, run_id, watchers):
        began = time.time()
        ask(where, "/api/v1/signal", said)
        while True:
            time.sleep(0.2)
            record = json.loads(ask(where, "/api/v1/status", {"workflow_id": run_id, "events": False})[1])
            if record["completed_at"]:
                return datetime.fromisoformat(record["completed_at"]).timestamp() - began


@contextmanager
def _browsers(where: tuple[str, int], run_id: str, count: int) -> Iterator[None]:
    """So many listen, until the end of the block."""
    script = str(Path(__file__).with_name("browsers.py"))
    crowd = subprocess.Popen(
        [sys.executable, script, where[0], str(where[1]), run_id, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert crowd.stdout is not None
    try:
        assert crowd.stdout.readline() == b"ready\n"
        yield
    finally:
        crowd.kill()
        crowd.communicate()
