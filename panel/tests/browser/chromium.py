"""A real browser, and everything in it that must never happen."""

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: NO PAGE IS TESTED IN A BROWSER"
)
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
VENDOR = Path(__file__).parents[2] / "src/opcode_panel/static/vendor/htmx.min.js"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PATIENCE = 15_000
"""Milliseconds in which a loaded machine shows what is waited for."""
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of (4\d\d|5\d\d)")
LOST = re.compile(
    r"htmx:error: Failed to fetch|net::ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|CONNECTION_RESET|EMPTY_RESPONSE|NETWORK_CHANGED)"
)


@dataclass
class Faults:
    """What went wrong in a page: dialogs, errors, broken policies, requests to elsewhere."""

    home: str
    found: list[str] = field(default_factory=list)
    lost_connections: bool = False
    refusals: bool = False

    def watch(self, page) -> None:
        page.on("dialog", self._dialog)
        page.on("pageerror", lambda error: self.found.append(f"error: {error}"))
        page.on("console", self._console)
        page.on("request", self._request)

    def _dialog(self, dialog) -> None:
        self.found.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _console(self, message) -> None:
        if message.type not in ("error", "warning"):
            return
        if self.refusals and REFUSED.search(message.text):
            return
        if self.lost_connections and LOST.search(message.text):
            return
        self.found.append(f"console {message.type}: {message.text} {message.location}")

    def _request(self, request) -> None:
        if urlsplit(request.url).scheme not in ("data", "about", "blob") and not request.url.startswith(
            self.home
        ):
            self.found.append(f"request to {request.url}")


def axe(page) -> list[str]:
    """What axe-core finds wrong, one line each."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("(tags) => axe.run(document, {runOnly: tags})", RULES)
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def too_wide(page) -> list[str]:
    """What sticks out of the page to the right."""
    return page.evaluate("""() => {
        const width = document.documentElement.clientWidth;
        if (document.documentElement.scrollWidth <= width) return [];
        return [...document.querySelectorAll('body *')]
            .filter((e) => e.getBoundingClientRect().right > width + 1)
            .map((e) => `${e.tagName}.${e.className} ${Math.round(e.getBoundingClientRect().right)} ${e.textContent.slice(0, 40)}`)
            .slice(0, 5);
    }""")
