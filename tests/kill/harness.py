"""Kills processes and looks whether what they did goes on: `harness.py --kills 500`.

Each history is made by its seed; a failure names it, and `harness.py --history SEED` plays it again.
The seed fixes who dies where and which runs there are; how far they are by then depends on the machine.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from kill_database import unended
from kill_history import History
from kill_plots import PLOTS
from kill_process import Nursery
from kill_promises import Outcome, outcome_of
from kill_report import Report
from kill_tending import LOOK
from kill_workflows import STORIES

WEIGHTS = {"alone": 12, "pair": 2, "crowd": 2, "stop": 1, "purge": 2, "migration": 2, "deadly": 1}
SET_ASIDE: Outcome = ("failed", None, "EXECUTION_ERROR")
NEWS = 10.0
"""Seconds between signs of life."""


def plot_of(seed: int) -> str:
    """Which plot a seed stands for."""
    return random.Random(seed).choices(list(WEIGHTS), list(WEIGHTS.values()))[0]


async def play(
    seed: int, plot: str, nursery: Nursery, folder: Path, outcomes: Mapping[str, Outcome]
) -> History:
    """Play one history to its end, in a new folder."""
    folder.mkdir(parents=True)
    history = History(seed, nursery, folder, outcomes)
    await history.play(PLOTS[plot])
    return history


async def outcomes_without_kills(nursery: Nursery, folder: Path) -> dict[str, Outcome]:
    """How every story ends when nobody dies."""
    folder.mkdir(parents=True)
    history = History(0, nursery, folder, {})
    for name in STORIES:
        history.tender.want(name)
    await history.play(_to_the_end)
    left = history.check("without kills")
    assert left is not None
    assert not history.violations, history.violations
    ends = {one.name: outcome_of(left.states[one.run_id or ""]) for one in history.tender.wanted}
    return {**ends, "deadly": SET_ASIDE}


async def _to_the_end(history: History) -> None:
    await history.spawn()
    limit = time.time() + 60
    while unended(history.database) or not all(one.run_id for one in history.tender.wanted):
        assert time.time() < limit, "without kills the runs do not come to their end"
        await asyncio.sleep(LOOK)


def how_again(seed: int, plot: str) -> str:
    """The command that plays a history again."""
    return f"python tests/kill/harness.py --history {seed} --plot {plot}"


class Session:
    """Many histories, some of them at once."""

    def __init__(self, asked: argparse.Namespace, root: Path, nursery: Nursery) -> None:
        self.asked = asked
        self.root = root
        self.nursery = nursery
        self.report = Report()
        self.broken = 0
        self._told_at = time.monotonic()

    async def play(self) -> None:
        outcomes = await outcomes_without_kills(self.nursery, self.root / "without kills")
        seeds = iter([self.asked.history]) if self.asked.history is not None else count(self.asked.first)
        await asyncio.gather(*(self._play(seeds, outcomes) for _ in range(self.asked.at_once)))

    async def _play(self, seeds: Iterator[int], outcomes: Mapping[str, Outcome]) -> None:
        while self.report.kills.total() < self.asked.kills and (seed := next(seeds, None)) is not None:
            plot = self.asked.plot or plot_of(seed)
            folder = self.root / str(seed)
            history = await play(seed, plot, self.nursery, folder, outcomes)
            self.report.add(history.report)
            self._tell(seed, plot, history.violations)
            if not history.violations:
                shutil.rmtree(folder)

    def _tell(self, seed: int, plot: str, violations: list[str]) -> None:
        if violations:
            self.broken += 1
            print(f"\nhistory {seed} ({plot}): {len(violations)} violations, in {self.root / str(seed)}")
            for violation in violations[:20]:
                print(f"  {violation[:2000]}")
            print(f"again: {how_again(seed, plot)}\n", flush=True)
        if time.monotonic() > self._told_at + NEWS:
            self._told_at = time.monotonic()
            print(f"{self.report.kills.total()} of {self.asked.kills} kills", flush=True)


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=500, help="how many processes die")
    parser.add_argument("--first", type=int, default=random.randrange(10**6), help="the first seed")
    parser.add_argument("--history", type=int, metavar="SEED", help="play this one alone")
    parser.add_argument("--plot", choices=PLOTS, help="instead of the one that the seed stands for")
    parser.add_argument("--at-once", type=int, default=3, help="histories side by side")
    asked = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="opcode-kill-"))
    if asked.history is None:
        print(
            f"seeds from {asked.first}; again: python tests/kill/harness.py --kills {asked.kills} --first {asked.first}"
        )
    async with Nursery(root) as nursery:
        session = Session(asked, root, nursery)
        await session.play()
    print(session.report)
    print(f"{session.broken} histories broke a promise" if session.broken else "every promise was kept")
    if not session.broken:
        shutil.rmtree(root)
    return 1 if session.broken else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
