"""A server of tools that misbehaves as it is told, over standard input and output or HTTP; it needs no package.

`naughty.py [--mode MODE] [--tools FILE] [--note FILE] [--http]`. With --http it prints its port first.
"""

import argparse
import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

OBJECT = {"type": "object"}
TEXT = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}
TOOLS = [
    {"name": "echo", "description": "Give back.", "inputSchema": TEXT, "annotations": {"readOnlyHint": True}},
    {
        "name": "put",
        "description": "Twice is as once.",
        "inputSchema": OBJECT,
        "annotations": {"idempotentHint": True},
    },
    *(
        {"name": name, "description": f"It is {name}.", "inputSchema": OBJECT}
        for name in (
            "json",
            "structured",
            "image",
            "resource",
            "error",
            "sleep",
            "hang",
            "crash",
            "env",
            "many",
            "huge",
            "meta",
            "child",
            "change",
            "refuse",
            "shapeless",
            "say",
            "confess",
        )
    ),
]

cancelled: set = set()
write_lock = threading.Lock()
options = argparse.Namespace()


def note(text):
    if options.note:
        with Path(options.note).open("a") as file:
            file.write(text + "\n")


def tools():
    return json.loads(Path(options.tools).read_text()) if options.tools else TOOLS


def send(message):
    with write_lock:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def text(value):
    return {"content": [{"type": "text", "text": value}]}


def call(name, arguments, params, request_id):  # noqa: PLR0912
    if name == "echo":
        return text(arguments["text"])
    if name == "json":
        return text('{"a": [1, 2.5, null]}')
    if name == "structured":
        return {**text("never looked at"), "structuredContent": {"n": 1}}
    if name == "image":
        data = base64.b64encode(b"PNG").decode()
        return {
            "content": [
                *text("a picture")["content"],
                {"type": "image", "mimeType": "image/png", "data": data},
            ]
        }
    if name == "resource":
        blob = base64.b64encode(b"x" * int(arguments.get("size", 3))).decode()
        inner = {"uri": "file:///x", "mimeType": "application/x", "blob": blob}
        return {"content": [{"type": "resource", "resource": inner}]}
    if name == "error":
        return {**text("it is broken " + "x" * int(arguments.get("more", 0))), "isError": True}
    if name in ("sleep", "idle"):
        until = time.monotonic() + float(arguments["seconds"])
        note(f"begin {params.get('_meta', {}).get('opcode/idempotency-key', '')}")
        while time.monotonic() < until:
            if request_id in cancelled:
                note("cancelled")
                return None
            time.sleep(0.01)
        note("slept")
        return text("slept")
    if name == "hang":
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(600)  # the stop comes a little later
    if name == "crash":
        print("I die of sorrow", file=sys.stderr, flush=True)
        os._exit(7)
    if name == "env":
        return {**text(""), "structuredContent": {"env": dict(os.environ)}}
    if name == "many":
        for _ in range(100_000):
            send(
                {
                    "jsonrpc": "2.0",
                    "method": "notifications/message",
                    "params": {"level": "info", "data": "x"},
                }
            )
    if name == "huge":
        return text("x" * (9 * 1024 * 1024))
    if name == "meta":
        return text(json.dumps(params["_meta"]))
    if name == "child":
        code = "import signal, time\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\ntime.sleep(600)"
        return text(str(subprocess.Popen([sys.executable, "-c", code], start_new_session=True).pid))
    if name == "change":
        Path(options.tools).write_text(json.dumps(arguments["tools"]))
        send({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
        return text("changed")
    if name == "shapeless":
        return {"content": "this is no list"}
    if name == "confess":
        print("my token is", os.environ["TOKEN"], file=sys.stderr, flush=True)
        return text(f"it is {os.environ['TOKEN']}")
    if name == "say":
        print(arguments["text"], file=sys.stderr, flush=True)
        return text(f"said {arguments['text']}")
    return text("")


def answer(message):
    """The answer to a message, or None."""
    method, request_id, params = message.get("method"), message.get("id"), message.get("params") or {}
    if method == "notifications/cancelled":
        cancelled.add(params.get("requestId"))
    if request_id is None:
        return None
    result = {}
    if method == "initialize":
        if options.mode == "hang":
            time.sleep(600)
        result = {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {"listChanged": True}},
            "serverInfo": {"name": "naughty", "version": "1"},
        }
    elif method == "tools/list":
        result = {"tools": tools()}
    elif method == "tools/call":
        if params["name"] == "refuse":
            return {"jsonrpc": "2.0", "id": request_id, "error": {"code": -32602, "message": "not like this"}}
        result = call(params["name"], params.get("arguments") or {}, params, request_id)
        if result is None:
            return None
    elif method != "ping":
        return {"jsonrpc": "2.0", "id": request_id, "error": {"code": -32601, "message": "what?"}}
    return {"jsonrpc": "2.0", "id": request_id, "result": result}


def answer_on_stdout(message):
    said = answer(message)
    if said is not None:
        send(said)


def stdio():
    if options.mode == "crash":
        print("no licence", file=sys.stderr, flush=True)
        sys.exit(3)
    if options.mode == "garbage":
        while True:
            print("INFO: nothing is wrong, I only like to write", flush=True)
    if options.mode == "endless":
        while True:
            sys.stdout.write("x" * 65536)
    if options.mode == "stubborn":
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
    if options.mode == "secretive" and "TOKEN" not in os.environ:
        sys.exit("TOKEN is missing")
    note(f"pid {os.getpid()}")
    print("starting up", file=sys.stderr, flush=True)
    for line in sys.stdin:
        threading.Thread(target=answer_on_stdout, args=[json.loads(line)], daemon=True).start()
    if options.mode == "stubborn":
        time.sleep(600)
    os._exit(0)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if options.mode == "secretive" and self.headers.get("Authorization") != "Bearer s3cret-value":
            return self.reply(401, b"")
        said = answer(message)
        return self.reply(202, b"") if said is None else self.reply(200, json.dumps(said).encode())

    def do_GET(self):
        self.reply(405, b"")

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def http():
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="good")
parser.add_argument("--tools")
parser.add_argument("--note")
parser.add_argument("--http", action="store_true")
parser.add_argument("--port", type=int, default=0)
options = parser.parse_args()
http() if options.http else stdio()
