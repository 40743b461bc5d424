"""A process that runs workflows until it is killed.

It is told what to do line by line, and answers each line when that is done and stored:

    7 start NAME KEY                    7 started ID
    8 decision ID STEP PAYLOAD          8 ok
    9 signal ID TYPE STEP|- PAYLOAD     9 ok
    10 look                             10 sees JSON
    11 purge SECONDS                    11 purged COUNT
    12 quit

What is refused is answered with `7 refused CODE MESSAGE`. Going on with what another process left
is nothing that it is told: the engine does that by itself.
"""

import asyncio
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kill_actions import World
from kill_fate import Fate, MortalStorage
from kill_workflows import ALL, TEMPLATES

import opcode_core.engine.watch
from opcode_core import Engine, OpcodeError, RunFilter
from opcode_core.engine.breaker import BreakerPolicy
from opcode_core.plugins.manager import PluginManager
from opcode_core.state import RunState
from opcode_sql.location import Location

UNBREAKABLE = BreakerPolicy(failures=1_000_000)


@dataclass(frozen=True, slots=True)
class Life:
    """What a worker is born with.

    Attributes:
        folder: holds the database, the ledger and the log.
        die: where it dies; nowhere when empty.
        linger: seconds for which a run that waits stays in memory.
        lease: seconds for which it counts as living, when not the product's; it beats more often then.
        recovery, pool_size: as the engine has them.
    """

    folder: str
    die: str = ""
    linger: float = 0.3
    lease: float | None = None
    recovery: Literal["resume", "suspend"] = "resume"
    pool_size: int = 10


def engine_for(life: Life, plugins: PluginManager, fate: Fate) -> Engine:
    """An engine on the folder's database; `plugins` must not have been asked for anything yet."""
    if life.lease is not None:
        opcode_core.engine.watch.LEASE = life.lease
        opcode_core.engine.watch.TICK = life.lease / 10
    plugins.register(World(Path(life.folder), fate), "kill")
    storage = MortalStorage(Location.from_url(f"sqlite:///{life.folder}/opcode.db?durability=normal"), fate)
    policies = dict.fromkeys(("kill.flaky", "kill.external"), UNBREAKABLE)
    return Engine(
        storage,
        plugins,
        breaker_policies=policies,
        linger=life.linger,
        recovery=life.recovery,
        pool_size=life.pool_size,
    )


async def live(life: Life, plugins: PluginManager, wire: socket.socket) -> None:
    """Serve who is at the other end of the wire until told to quit, or until nobody is there any more."""
    lines, answers = await asyncio.open_connection(sock=wire, limit=2**22)
    fate = Fate(life.die)
    async with engine_for(life, plugins, fate) as engine:
        for name, definition in TEMPLATES.items():
            if await engine.storage.template(name) is None:
                await engine.define(name, definition)
        await Worker(engine, answers, fate).serve(lines)


class Worker:
    """Does what it is told, many things at once."""

    def __init__(self, engine: Engine, answers: asyncio.StreamWriter, fate: Fate) -> None:
        self.engine = engine
        self.fate = fate
        self.answers = answers
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self, lines: asyncio.StreamReader) -> None:
        self.say("ready")
        while line := (await lines.readline()).decode().strip():
            number, verb, *rest = line.split(" ", 2)
            if verb == "quit":
                break
            task = asyncio.create_task(self.do(number, verb, rest[0] if rest else ""))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    def say(self, line: str) -> None:
        self.answers.write(f"{line}\n".encode())

    async def do(self, number: str, verb: str, rest: str) -> None:
        try:
            self.say(f"{number} {await getattr(self, verb)(rest)}")
            self.fate.at(f"answer:{verb}")
        except OpcodeError as error:
            self.say(f"{number} refused {error.code} {' '.join(error.message.split())}")

    async def start(self, rest: str) -> str:
        name, key = rest.split(" ")
        return f"started {await self.engine.start(ALL[name].definition, idempotency_key=key)}"

    async def decision(self, rest: str) -> str:
        run_id, step_id, payload = rest.split(" ", 2)
        await self.engine.signal(run_id, "decision", json.loads(payload), step_id=step_id)
        return "ok"

    async def signal(self, rest: str) -> str:
        run_id, kind, step_id, payload = rest.split(" ", 3)
        step = None if step_id == "-" else step_id
        await self.engine.signal(run_id, kind, json.loads(payload), step_id=step)
        return "ok"

    async def purge(self, before: str) -> str:
        return f"purged {await self.engine.storage.purge(float(before), 100)}"

    async def look(self, _: str) -> str:
        """The runs that have not ended, and what each waits for that only somebody else can give."""
        seen = {}
        for status in ("active", "suspended"):
            for record in (await self.engine.storage.runs(RunFilter(status=status), limit=500)).items:
                seen[record.id] = list(_asks(await self.engine.state(record.id)))
        return f"sees {json.dumps(seen)}"


def _asks(state: RunState) -> Iterator[tuple[str, Any]]:
    """A kind and a step: `decision`, `retry`, or a signal's name."""
    if state.held is not None:
        yield "retry", None  # all of its steps
        return
    for decision in state.decisions.values():
        if decision.timeout_at is None:
            yield "decision", decision.step_id
    for step_id, step in state.steps.items():
        waiting = step.waiting or {}
        if waiting.get("for") == "operator":
            yield "retry", step_id
        elif waiting.get("for") == "signal" and waiting["until"] is None:
            yield waiting["signal"], step_id
