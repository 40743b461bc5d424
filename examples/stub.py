"""A service on loopback that answers as an example's scenarios.json says, for whoever wants to see the example run.

    python stub.py deploy-gate               serve the first scenario at http://127.0.0.1:8099
    python stub.py deploy-gate hurting       serve another one
    python stub.py .                         in a folder that `opcode examples copy` made

Routes are `"METHOD /path/{variable}": answer`. An answer has a `status` (200), a `body` (JSON, or a text), `headers`,
`delay_ms`, or `"drop": true`, which ends the connection without a word. `{"turns": [...]}` gives one answer after
another and then the last for ever; `{"cases": [{"if": {"path"|"query"|"body"|"headers": {...}}, ...}]}` the first whose
condition fits. In bodies `<variable>`, `<query.page>` and `<body.name>` stand for what was sent.
"""

import json
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

PORT = 8099
"""Where the examples look for their services unless they are told otherwise."""

_VARIABLE = re.compile(r"\{(\w+)\}")
_PLACE = re.compile(r"<([\w.]+)>")


@dataclass(frozen=True)
class Call:
    """What was asked: the route as the scenario writes it, and what came with it."""

    route: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass
class Stub:
    """The routes that are served now, and the calls that came.

    Attributes:
        calls: in the order in which they came, also those that no route fits.
    """

    routes: Mapping[str, Any] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    _turns: dict[int, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def play(self, routes: Mapping[str, Any]) -> None:
        """Serve other routes, and forget what came so far."""
        with self._lock:
            self.routes, self.calls, self._turns = routes, [], {}

    def answer(self, method: str, target: str, headers: Mapping[str, str], content: bytes) -> dict[str, Any]:
        """The answer to one request, with its places filled in."""
        url = urlsplit(target)
        query, body = dict(parse_qsl(url.query)), _parsed(content)
        route, path = self._route(method, unquote(url.path))
        call = Call(route, path, query, {name.lower(): value for name, value in headers.items()}, body)
        with self._lock:
            self.calls.append(call)
            found = self._chosen(self.routes.get(route), call)
        if found is None:
            return {"status": 404, "body": {"error": f"the stub has no answer to {method} {target}"}}
        return {**found, "body": _filled(found.get("body"), call)}

    def _route(self, method: str, path: str) -> tuple[str, dict[str, str]]:
        for route in self.routes:
            wanted, _, pattern = route.partition(" ")
            fits = re.fullmatch(_VARIABLE.sub(r"(?P<\1>[^/]+)", pattern), path)
            if wanted == method and fits:
                return route, fits.groupdict()
        return f"{method} {path}", {}

    def _chosen(self, answer: Any, call: Call) -> Any:
        """Down through turns and cases to an answer; None when no case fits."""
        while answer is not None and ("turns" in answer or "cases" in answer):
            if "cases" in answer:
                answer = next((case for case in answer["cases"] if _fits(case.get("if", {}), call)), None)
                continue
            turn = self._turns.get(id(answer), 0)
            self._turns[id(answer)] = turn + 1
            answer = answer["turns"][min(turn, len(answer["turns"]) - 1)]
        return answer


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")


def _fits(condition: Mapping[str, Any], call: Call) -> bool:
    return all(
        isinstance(getattr(call, part), Mapping) and getattr(call, part).get(name) == value
        for part, wanted in condition.items()
        for name, value in wanted.items()
    )


def _filled(value: Any, call: Call) -> Any:
    """A place that is a whole text keeps the value's type."""
    if isinstance(value, dict):
        return {name: _filled(item, call) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, call) for item in value]
    if not isinstance(value, str):
        return value
    whole = _PLACE.fullmatch(value)
    if whole:
        return _sent(whole[1], call, value)
    return _PLACE.sub(lambda place: str(_sent(place[1], call, place[0])), value)


def _sent(place: str, call: Call, otherwise: str) -> Any:
    first, *rest = place.split(".")
    found: Any = {"query": call.query, "body": call.body}.get(first, call.path.get(first, otherwise))
    for name in rest:
        found = found.get(name, otherwise) if isinstance(found, Mapping) else otherwise
    return found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else some answers take 40 ms for nothing
    stub: Stub

    def handle_any(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.stub.answer(self.command, self.path, dict(self.headers.items()), content)
        time.sleep(answer.get("delay_ms", 0) / 1000)
        if answer.get("drop"):
            self.close_connection = True
            return
        body = answer["body"]
        text = isinstance(body, str)
        data = body.encode() if text else json.dumps(body).encode()
        headers = {"Content-Type": "text/plain; charset=utf-8" if text else "application/json"}
        self.send_response(answer.get("status", 200))
        for name, value in {**headers, **answer.get("headers", {}), "Content-Length": len(data)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    # As http.server names them.
    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is none of the service's errors."""


@contextmanager
def serving(stub: Stub, port: int = 0) -> Iterator[str]:
    """The stub's address, while it is open; port 0 takes a free one."""
    server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"stub": stub}))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def routes_of(scenarios: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The routes of a scenario over those that all scenarios share."""
    return {**scenarios.get("routes", {}), **scenarios["scenarios"][name].get("routes", {})}


def main(example: str = "", scenario: str = "", port: str = str(PORT)) -> None:
    """Serve until Ctrl-C."""
    file = Path(__file__).parent / example / "scenarios.json"
    if not example or not file.exists():
        sys.exit(f"{__doc__}\nthere is no {file}")
    scenarios = json.loads(file.read_text("utf-8"))
    scenario = scenario or next(iter(scenarios["scenarios"]))
    if scenario not in scenarios["scenarios"]:
        sys.exit(f"there is no scenario {scenario}; there are {', '.join(scenarios['scenarios'])}")
    with serving(Stub(routes_of(scenarios, scenario)), int(port)) as address:
        print(f"{scenario}: {address}; Ctrl-C ends it", flush=True)
        try:
            while True:
                time.sleep(60)
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main(*sys.argv[1:4])
