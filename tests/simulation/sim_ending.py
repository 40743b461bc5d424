"""How a history ends: no more faults, whatever waits is answered, and then every run has to end."""

import asyncio
from typing import TYPE_CHECKING

from sim_checks import waits_for_somebody

from opcode_core.contracts.storage import RunRecord
from opcode_core.decisions import PENDING
from opcode_core.state import RUN_ENDED, STEP_ENDED, SUSPENDED

if TYPE_CHECKING:
    from sim_history import History

LATE = 10.0
"""Seconds after which a run that is due, and that nobody looks at, counts as forgotten."""
CALM = 130.0
"""Seconds without a commit after which nothing is expected to happen any more by itself; more than any wait."""
ROUNDS = 60
"""How often everything is answered before a run that does not end counts as one that never will."""


class Ending:
    """Brings all runs to their end, and sees to it that nothing is left."""

    def __init__(self, world: "History") -> None:
        self.world = world
        self.database = world.database

    def rows(self) -> list[RunRecord]:
        return list(self.database._runs.values())

    async def settle(self) -> None:
        """Answer whatever is asked until all has ended."""
        for _ in range(ROUNDS):
            await self.quiet()
            waiting = [run.id for run in self.rows() if run.status not in RUN_ENDED]
            if not waiting:
                break
            for run_id in waiting:
                await self.world.people.answer(run_id)
        else:
            self.world.violated(f"these never end: {self.standing()}")
        await asyncio.sleep(5)

    async def quiet(self) -> None:
        """Come back when all runs have ended or wait for somebody."""
        began = self.world.loop.time()
        while self.world.loop.time() - max(began, self.world.last_commit) < CALM:
            if not self.database._messages and all(map(_is_settled, self.rows())):
                return
            self.check_overdue()
            await asyncio.sleep(0.5)
        states = self.world.auditor.states
        for run in self.rows():
            waits = run.status == SUSPENDED and waits_for_somebody(states[run.id], states)
            if run.status not in RUN_ENDED and not waits:
                self.world.violated(f"nothing has happened for {CALM} s, but {self.standing(run.id)}")

    def check_overdue(self) -> None:
        """Nothing that is to go on by itself is forgotten."""
        latest = self.world.clock.now() - LATE
        for run in self.rows():
            overdue = run.owner is None and run.wakes_at is not None and run.wakes_at < latest
            if overdue and self.world.is_well():
                self.world.violated(f"overdue for {LATE} s: {self.standing(run.id)}")

    def standing(self, only: str | None = None) -> str:
        """How the runs that have not ended stand, or one of them."""
        told = [
            self.told(run) for run in self.rows() if run.status not in RUN_ENDED and only in (None, run.id)
        ]
        return "; ".join(told) or "all runs have ended"

    def told(self, run: RunRecord) -> str:
        state = self.world.auditor.states[run.id]
        steps = {
            step_id: f"{step.status} {dict(step.waiting) if step.waiting else ''}".strip()
            for step_id, step in state.steps.items()
            if step.status not in STEP_ENDED
        }
        wakes = None if run.wakes_at is None else round(run.wakes_at - self.world.clock.offset, 3)
        live = [m.name for m in self.world.machines.living() if run.id in m.engine.runs.live]
        return (
            f"run {run.id} is {run.status}, held {state.held}, owner {run.owner}, live in {live},"
            f" wakes {wakes}, steps {steps}"
        )

    def check(self) -> None:
        """After the last process has gone."""
        violated = self.world.violated
        if unfinished := [run.id for run in self.rows() if run.status not in RUN_ENDED]:
            violated(f"{unfinished} have not ended: {self.standing()}")
        if self.database._messages:
            violated(f"messages are left: {list(self.database._messages.values())}")
        if pending := [d.id for d in self.database._decisions.values() if d.status == PENDING]:
            violated(f"decisions are left: {pending}")
        if owned := [run.id for run in self.rows() if run.owner is not None]:
            violated(f"nobody lives any more, but {owned} are owned")
        if self.world.loop.complaints:
            violated(f"the loop complains: {self.world.loop.complaints}")
        self.world.auditor.finish(self.innocent())

    def innocent(self) -> set[str]:
        """Runs that killed nobody, where processes only die of poison."""
        settings = self.world.settings
        if settings["crashes"] or self.world.faults.made or settings["machines"] > 1 or settings["pauses"]:
            return set()
        return self.world.auditor.states.keys() - self.world.poisoned.keys()


def _is_settled(run: RunRecord) -> bool:
    """Whether nothing of it happens by itself any more."""
    waits = run.status == SUSPENDED and run.wakes_at is None
    return run.owner is None and (run.status in RUN_ENDED or waits)
