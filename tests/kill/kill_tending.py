"""Who starts runs and gives them what they wait for, whatever happens to the workers."""

import asyncio
import json
import random
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from kill_process import Died, Process, Refused
from kill_workflows import ALL, Story

LOST = "is driven by somebody else since then"
"""What a worker says of a run that was taken from it while it stood still; it is told to another one then."""
LOOK = 0.05
"""Seconds between looks at what runs wait for."""


@dataclass(slots=True)
class Wanted:
    """A run that somebody wants; `run_id` is known once its start is acknowledged."""

    key: str
    name: str
    run_id: str | None = None
    early: list[str] = field(default_factory=list)

    @property
    def story(self) -> Story:
        return ALL[self.name]


class Tender:
    """Says everything once, and again when nobody knows whether it was heard.

    Attributes:
        workers: those that there are.
        wanted: the runs, in the order in which they are wanted.
        given: what was acknowledged, by the nonces that signals and decisions carry into the log.
        refused: what should not have been.
    """

    def __init__(self, chance: random.Random, workers: Sequence[Process]) -> None:
        self.chance = chance
        self.workers = workers
        self.wanted: list[Wanted] = []
        self.given: set[str] = set()
        self.refused: list[str] = []
        self._tried: set[str] = set()

    def want(self, name: str) -> None:
        """Let there be a run of that story."""
        self.wanted.append(Wanted(f"k{len(self.wanted)}", name, early=list(ALL[name].early)))

    async def tend(self) -> None:
        """For ever: start what is wanted, give what is waited for, to whichever worker there is."""
        while True:
            working = [worker for worker in self.workers if worker.takes_words]
            if working:
                with suppress(Died, TimeoutError):
                    await self._tend(self.chance.choice(working))
            await asyncio.sleep(LOOK)

    async def _tend(self, worker: Process) -> None:
        await _all(
            [self._start(worker, wanted) for wanted in self.wanted if wanted.run_id is None or wanted.early]
        )
        seen = json.loads((await worker.ask("look")).removeprefix("sees "))
        asked = [(run_id, kind, step_id) for run_id, asks in seen.items() for kind, step_id in asks]
        await _all([self._give(worker, *ask) for ask in asked if ask[1] != "never"])

    async def _start(self, worker: Process, wanted: Wanted) -> None:
        if wanted.run_id is None:
            wanted.run_id = await worker.ask("start", wanted.name, wanted.key)
        while wanted.early:
            name = wanted.early[-1]
            await self._signal(worker, wanted.run_id, name, "-", f"{wanted.run_id}:{name}")
            wanted.early.pop()

    async def _give(self, worker: Process, run_id: str, kind: str, step_id: str | None) -> None:
        nonce = f"{run_id}:{step_id}:{kind}"
        if kind == "retry":
            payload = json.dumps({"nonce": nonce})
            await self._say(worker, nonce, "signal", run_id, "retry", step_id or "-", payload)
        elif nonce in self.given:  # the worker does not know yet what another one was told
            return
        elif kind == "decision":
            payload = json.dumps({"choice": "yes", "data": {"nonce": nonce}})
            await self._say(worker, nonce, "decision", run_id, str(step_id), payload)
        else:
            await self._signal(worker, run_id, kind, self.chance.choice(["-", str(step_id)]), nonce)

    async def _signal(self, worker: Process, run_id: str, name: str, step_id: str, nonce: str) -> None:
        payload = json.dumps({"signal": name, "n": 7, "nonce": nonce})
        await self._say(worker, nonce, "signal", run_id, "data", step_id, payload)

    async def _say(self, worker: Process, nonce: str, *words: str) -> None:
        again = nonce in self._tried
        self._tried.add(nonce)
        try:
            await worker.ask(*words)
        except Refused as refused:
            if not again and LOST not in str(refused):
                self.refused.append(f"{nonce} is refused: {refused}")
        else:
            self.given.add(nonce)


async def _all(asked: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Wait for all answers; then raise the first that is none."""
    for result in await asyncio.gather(*asked, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
