"""Processes die at any moment, and their runs go on by themselves as if nothing had happened.

Each history has a seed; a failure names it and the command that plays it again. Many more: `make kill N=2000`.
"""

import asyncio
import os
import time
from collections import Counter

import pytest
from harness import how_again, outcomes_without_kills, play
from kill_database import lives_until
from kill_history import History
from kill_process import Nursery

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="forks workers as Linux does")

GROUPS = [
    ("alone", range(1, 6)),
    ("alone", range(6, 11)),
    ("alone", range(11, 16)),
    ("pair", range(1, 4)),
    ("crowd", range(1, 4)),
    ("stop", range(1, 4)),
    ("purge", range(1, 3)),
    ("migration", range(1, 3)),
    ("deadly", range(1, 3)),
]
MANY = 230
"""Runs of one process, more than another one takes into memory at once."""
FEWEST = 60
"""Processes that must have died in all of these histories together."""
kills: Counter[str] = Counter()


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """How every story ends without kills."""

    async def found():
        folder = tmp_path_factory.mktemp("without")
        async with Nursery(folder) as nursery:
            return await outcomes_without_kills(nursery, folder / "kills")

    return asyncio.run(found())


@pytest.mark.parametrize(
    ("plot", "seeds"), GROUPS, ids=[f"{plot} {seeds[0]} to {seeds[-1]}" for plot, seeds in GROUPS]
)
async def test_what_a_dead_process_did_goes_on(plot, seeds, outcomes, tmp_path):
    async with Nursery(tmp_path) as nursery:
        played = [play(seed, plot, nursery, tmp_path / str(seed), outcomes) for seed in seeds]
        histories = await asyncio.gather(*played)
    broken = []
    for seed, history in zip(seeds, histories, strict=True):
        kills.update(history.report.kills)
        if history.violations:
            broken += [f"history {seed}:", *history.violations, f"again: {how_again(seed, plot)}"]
    assert not broken, "\n".join(broken)


async def test_who_takes_over_many_runs_counts_as_living_meanwhile(tmp_path):
    """Else a third process would take them all, and call again what goes on here."""
    async with Nursery(tmp_path) as nursery:
        history = History(1, nursery, tmp_path, {})
        history.lease = 2.0
        await history.make_database()
        survivor, victim = await history.spawn(), await history.spawn()
        await survivor.ready_or_dead()
        await victim.ready_or_dead()
        await asyncio.gather(*(victim.ask("start", "patient", f"k{n}") for n in range(MANY)))
        victim.kill()
        await victim.death()
        ends = []
        for _ in range(60):
            await asyncio.sleep(0.1)
            ends.append(lives_until(history.database, survivor.pid) - time.time())
        survivor.kill()
        await survivor.death()
    assert min(ends) > 0


def test_enough_processes_died():
    """At many places; else the histories above prove little."""
    if len(kills) == 0:
        pytest.skip("no history was played")
    assert kills.total() >= FEWEST
    assert {place.partition(":")[0] for place in kills} >= {"before", "after", "statement", "at random"}
