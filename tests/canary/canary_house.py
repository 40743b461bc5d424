"""A real server with canaries in its vault, and everybody who could see one: agents, programs, people, files."""

import asyncio
import http.client
import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from canary_echo import echoing
from canary_search import hits
from serving import Server, serving

from opcode_core.hosting import PluginManager
from opcode_sql.plugin import sqlite
from opcode_vault.vault import SecretVault

PASSPHRASE = "correct horse battery staple"
PLAIN = "c4n4ry-7Qz9-Wp3v-Kx8m-Tt5g"
ODD = "c4\"n\\é/7%+ &<K>\n'x9\t$Zq;😀=w"
PASSWORD, NUMBER = "pA9-kkw0-zzQ3-11f-Vb2n", "918273645546372"
KINDS = {
    "PLAIN": (PLAIN, [PLAIN]),
    "ODD": (ODD, [ODD]),
    "JSON": (json.dumps({"user": "rob", "password": PASSWORD, "id": int(NUMBER)}), [PASSWORD, NUMBER]),
}
"""By the secret's name: its value, and what of it must be seen nowhere."""
CANARIES = [canary for _, canaries in KINDS.values() for canary in canaries]
REGISTRY = PluginManager().registry()
FORMATS = sorted(REGISTRY.renderers)

READING = {"id": "r", "action": "crypto.encode", "params": {"data": "x${{secrets.{KEY}}}", "encoding": "hex"}}
CHILDREN = {
    "child": {"inputs": {"token": ""}, "steps": [{"id": "c", "action": "crypto.uuid"}]},
    "child-{KEY}": {"steps": [READING], "output": {"it": "${{steps.r.result}}"}},
    "failing-{KEY}": {
        "steps": [{"id": "f", "action": "workflow.fail", "params": {"reason": "so: ${{secrets.{KEY}}}"}}]
    },
}


@dataclass
class House:
    """The server, what was told to the outside, and what was seen of it."""

    server: Server
    url: str
    told: list[str]
    folder: Path

    def filled(self, definition, kind):
        """A case with its placeholders filled in."""
        text = json.dumps(definition if isinstance(definition, dict) else {"steps": definition})
        text = text.replace("{KEY}", kind).replace("{URL}", self.url)
        return json.loads(text.replace("{DIR}", str(self.folder / kind)))

    async def run(self, client, name, definition, *, briefly=False):
        """How it ends, after it was asked about in every way, or briefly in the ways that carry values."""
        seen = Sight(name)

        async def call(tool, **arguments):
            result = await client.call_tool(tool, arguments)
            seen.look(f"{tool} {arguments}", result.model_dump_json())
            return result.structured_content or {}

        await call("opcode.define", name=name, definition=definition, agent_id="ada")
        ran = await call("opcode.run", template_name=name, timeout=20, agent_id="ada")
        assert "workflow_id" in ran, ran
        run_id = ran["workflow_id"]
        await call("opcode.status", workflow_id=run_id)
        if briefly:
            return ran
        await call("opcode.query", resource="events", filter={"workflow_id": run_id, "limit": 500})
        for format_ in FORMATS:
            await call("opcode.diagram", format=format_, workflow_id=run_id)
        uri = f"opcode://workflows/{run_id}"
        seen.look(uri, (await client.read_resource(uri)).model_dump_json())
        self.look_over_http(seen, run_id)
        return ran

    def look_over_http(self, seen, run_id):
        """REST, the stream of events, and the panel's page."""
        for path, body in (
            ("/api/v1/status", {"workflow_id": run_id}),
            ("/api/v1/query", {"resource": "events", "filter": {"workflow_id": run_id}}),
            (f"/api/v1/events?workflow_id={run_id}", None),
            (f"/workflows/{run_id}", None),
        ):
            seen.look(path, self.fetch(path, body))

    def fetch(self, path, body=None, **headers):
        """An answer's head and body, as they come."""
        wire = http.client.HTTPConnection(self.server.url.removeprefix("http://"), timeout=30)
        sent = {"Content-Type": "application/json", "Accept": "*/*", **headers}
        wire.request("GET" if body is None else "POST", path, body and json.dumps(body), sent)
        response = wire.getresponse()
        text = f"{response.status} {response.headers}\n".encode() + response.read()
        wire.close()
        assert response.status == 200, text
        return text

    def files(self):
        """What the program itself wrote, with the database's companions."""
        return {
            path.name: path.read_bytes()
            for path in sorted((self.server.home / ".opcode").rglob("*"))
            if path.is_file()
        }


class Sight:
    """Looks at answers, and says where a canary was."""

    def __init__(self, name):
        self.name = name
        self.looked = 0

    def look(self, where, data):
        data = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        self.looked += 1
        for canary in CANARIES:
            found = hits(canary, data)
            assert not found, f"{self.name}: {where} shows {canary!r} as {found}:\n{data[:3000]!r}"


@contextmanager
def canary_house(home, *arguments, **variables):
    """A server whose vault holds the canaries, with a log that says as much as it can."""
    folder = home / "files"
    for kind in KINDS:
        (folder / kind).mkdir(parents=True, exist_ok=True)
    (home / ".opcode").mkdir(mode=0o700, exist_ok=True)
    asyncio.run(fill(home / ".opcode/opcode.db"))
    variables = {"OPCODE_VAULT_KEY": PASSPHRASE, "OPCODE_LOG_LEVEL": "debug", **variables}
    with echoing() as (url, told), serving(home, *arguments, **variables) as server:
        house = House(server, url, told, folder)
        for kind in KINDS:
            for name, definition in CHILDREN.items():
                body = {"name": name.replace("{KEY}", kind), "definition": house.filled(definition, kind)}
                status, answer = server.ask("/api/v1/define", {**body, "agent_id": "ada"})
                assert status == 200, answer
        yield house


async def fill(path):
    """A vault with few rounds, for these tests are not about keys."""
    storage = sqlite(f"sqlite:///{path}")
    await storage.open()
    vault = SecretVault(storage, passphrase=lambda: PASSPHRASE, iterations=1_000)
    for kind, (value, _) in KINDS.items():
        await vault.set(kind, value)
    await storage.close()
