"""`make screenshots`: every page, wide and narrow, light and dark, from a server with a little life in it.

The pictures have few colours, so `pngquant` makes them small where it is installed.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3] / "plugins/opcode_server/tests"))
sys.path.insert(0, str(Path(__file__).parents[3] / "examples/demo"))

from chromium import CHROMIUM, QUIET, sync_api
from service import shop
from serving import ASK, HELLO, SLOW, Server, serving

ROOT = Path(__file__).parents[3]
OUT = ROOT / "docs/screenshots"
SIZES = ((1280, 900), (390, 844))
TALLEST = 1400
"""Pixels of a picture's height: what comes further down looks alike."""
PASSPHRASE = "a passphrase for pictures only"
SCHEMA = {
    "type": "object",
    "properties": {
        "shop": {"type": "string", "title": "Shop", "description": "where its service answers"},
        "out": {
            "type": "string",
            "title": "Folder",
            "default": "/tmp",
            "description": "where the report goes",
        },
        "review_above": {
            "type": "number",
            "title": "Review above",
            "default": 500,
            "minimum": 0,
            "description": "in euros; a larger total asks a person",
        },
        "mode": {"type": "string", "enum": ["thorough", "quick"], "default": "thorough"},
        "loud": {"type": "boolean", "default": False, "description": "say everything in the log"},
    },
    "required": ["shop"],
}
LATER = {"steps": [{"id": "tomorrow", "type": "wait", "config": {"duration": "3h"}}]}
BROKEN = {
    "steps": [
        {"id": "name", "action": "crypto.uuid"},
        {
            "id": "fetch",
            "action": "http.get",
            "depends_on": ["name"],
            "params": {"url": "http://127.0.0.1:9/prices"},
        },
    ]
}


def main() -> None:
    """Start a server, let it work, look at every page."""
    OUT.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        serving(Path(home), OPCODE_VAULT_KEY=PASSPHRASE) as server,
        _alive(server) as pages,
        sync_api.sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        for width, height in SIZES:
            for scheme in ("light", "dark"):
                size = {"width": width, "height": height}
                view = browser.new_context(base_url=server.url, viewport=size, color_scheme=scheme)
                _shoot(view.new_page(), pages, f"{width}-{scheme}")
                view.close()
        browser.close()
    _shrink()


def _shoot(page: Any, pages: dict[str, str], kind: str) -> None:
    for name, path in pages.items():
        page.goto(path, wait_until="load")
        if page.locator("body[data-live]").count():
            page.wait_for_selector("#liveness.online")
        tall = min(page.evaluate("() => document.documentElement.scrollHeight"), TALLEST)
        size = {"x": 0, "y": 0, "width": page.viewport_size["width"], "height": tall}
        page.screenshot(path=OUT / f"{name}-{kind}.png", full_page=True, clip=size)


@contextmanager
def _alive(server: Server) -> Iterator[dict[str, str]]:
    """Some templates, runs and decisions; gives the pages by name."""
    report = json.loads((ROOT / "examples/demo/workflow.json").read_text("utf-8"))
    named = {
        "name": "morning-report",
        "agent_id": "ada",
        "description": "What a shop has to know in the morning",
    }
    _done(server.ask("/api/v1/define", {**named, "definition": report, "input_schema": SCHEMA}))
    _done(
        server.ask(
            "/api/v1/define", {**named, "definition": {**report, "timeout": "3m"}, "input_schema": SCHEMA}
        )
    )
    for name, agent, definition in (("hello", "bob", HELLO), ("ask", "ada", ASK), ("backup", "cron", SLOW)):
        _done(server.ask("/api/v1/define", {"name": name, "definition": definition, "agent_id": agent}))
    for name in ("SHOP_TOKEN", "SMTP_PASSWORD"):
        server.opcode("secret", "set", name, input="x")
    with shop() as address:
        params = {"shop": address, "out": tempfile.mkdtemp()}
        first, second = (
            _done(
                server.ask(
                    "/api/v1/run", {"template_name": "morning-report", "agent_id": "ada", "params": params}
                )
            )
            for _ in range(2)
        )
    said = {"workflow_id": first["workflow_id"], "signal_type": "decision", "payload": {"choice": "ship"}}
    _done(server.ask("/api/v1/signal", {**said, "reasoning": "All of it is in stock.", "agent_id": "grace"}))
    for _ in range(4):
        _done(server.ask("/api/v1/run", {"template_name": "hello", "agent_id": "bob"}))
    _done(
        server.ask(
            "/api/v1/run", {"template_name": "ask", "agent_id": "ada", "params": {"what": "the backup now"}}
        )
    )
    failed = _done(
        server.ask("/api/v1/execute", {"definition": BROKEN, "name": "price check", "agent_id": "bob"})
    )
    _done(
        server.ask(
            "/api/v1/execute", {"definition": LATER, "name": "reminder", "agent_id": "bob", "wait": False}
        )
    )
    _done(server.ask("/api/v1/run", {"template_name": "backup", "agent_id": "cron", "wait": False}))
    yield {
        "home": "/",
        "workflows": "/workflows",
        "run": f"/workflows/{first['workflow_id']}",
        "failed": f"/workflows/{failed['workflow_id']}",
        "decisions": "/decisions",
        "decision": f"/decisions/{second['pending_decisions'][0]['id']}",
        "templates": "/templates",
        "template": "/templates/morning-report?version=v2&against=v1",
        "editor": "/templates/-/new?template=morning-report",
        "scheduler": "/scheduler",
        "events": "/events",
        "agents": "/agents",
        "plugins": "/plugins",
        "secrets": "/secrets",
    }


def _done(answer: tuple[int, Any]) -> Any:
    status, body = answer
    if status != 200:
        raise SystemExit(f"the server says {status}: {body}")
    return body


def _shrink() -> None:
    tool = shutil.which("pngquant")
    if tool:
        pictures = sorted(str(path) for path in OUT.glob("*.png"))
        command = [tool, "--force", "--ext", ".png", "--skip-if-larger", "--speed", "1", "32", *pictures]
        subprocess.run(command, check=False)
    total = sum(path.stat().st_size for path in OUT.glob("*.png"))
    print(f"{len(list(OUT.glob('*.png')))} pictures, {total / 1e6:.1f} MB, in {OUT}")


if __name__ == "__main__":
    main()
