"""A server on loopback that gives back all that it is given, in every way that it can."""

import base64
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Echo(BaseHTTPRequestHandler):
    """`/echo/STATUS` echoes, `/text` as text, `/redirect` to where `to` says, `/broken` ends in the middle."""

    protocol_version = "HTTP/1.1"

    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        where = urlsplit(self.path)
        given = {
            "path": self.path,
            "query": parse_qs(where.query),
            "headers": dict(self.headers.items()),
            "body": body.decode("latin-1"),
            "body64": base64.b64encode(b"x" + body).decode(),
            "path hex": self.path.encode().hex(),
        }
        self.server.seen.append(json.dumps(given, ensure_ascii=False))
        kind, _, status = where.path.strip("/").partition("/")
        if kind == "broken":
            self.close_connection = True
            self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{self.path}".encode())
            return
        if kind == "redirect":
            self._send(302, b"", {"Location": f"/{status}?from={where.query}"})
        elif kind == "text":
            self._send(200, f"you said {body.decode('latin-1')} at {self.path}".encode("latin-1"), {})
        else:
            self._send(int(status or 200), json.dumps(given).encode(), {"Content-Type": "application/json"})

    do_GET = do_POST = do_PUT = _answer

    def _send(self, status, body, headers):
        echoed = self.headers.get("Authorization") or self.headers.get("X-Token") or "none"
        self.send_response(status, f"because of {self.path}"[:200])
        for name, value in {**headers, "X-Echo": echoed, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing."""


@contextmanager
def echoing():
    """Its address, and what it was told."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    server.seen = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
