"""A small shop on loopback, for the demo: a catalogue, orders, stock, and rates that fail at first."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

ORDERS = [
    {"id": "A-1001", "sku": "lamp", "quantity": 2, "price": 39.9, "currency": "EUR", "paid": True},
    {"id": "A-1002", "sku": "desk", "quantity": 1, "price": 420, "currency": "EUR", "paid": True},
    {"id": "A-1003", "sku": "chair", "quantity": 4, "price": 89.5, "currency": "USD", "paid": False},
    {"id": "A-1004", "sku": "shelf", "quantity": 3, "price": 65, "currency": "USD", "paid": True},
]
CATALOGUE = {"lamp": "Desk lamp", "desk": "Oak desk", "chair": 'Chair "Ada"', "shelf": "Wall shelf"}
STOCK = {"lamp": 120, "desk": 1, "chair": 33, "shelf": 0}


class _Shop(BaseHTTPRequestHandler):
    rates_asked = 0

    def do_GET(self) -> None:
        status, body = self._answer(self.path)
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _answer(self, path: str) -> tuple[int, Any]:
        if path == "/orders":
            return 200, {"orders": ORDERS}
        if path == "/catalogue":
            return 200, CATALOGUE
        if path.startswith("/stock/"):
            sku = path.removeprefix("/stock/")
            return (
                (200, {"sku": sku, "in_stock": STOCK[sku]})
                if sku in STOCK
                else (404, {"error": "no such article"})
            )
        if path == "/rates":
            _Shop.rates_asked += 1
            if _Shop.rates_asked <= 2:
                return 503, {"error": "the rates are being refreshed"}
            return 200, {"base": "EUR", "rates": {"EUR": 1.0, "USD": 0.92}}
        return 404, {"error": f"nothing at {path}"}

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Quiet."""


@contextmanager
def shop() -> Iterator[str]:
    """The shop's address, while it is open."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Shop)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
