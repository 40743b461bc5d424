"""Histories in a simulated world: time, chance, the order of things, the storage and crashes come from a seed.

A failure names its seed and the command that repeats it. Many more: `simulate.py --seeds 10000`.
"""

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sim_history import History, Violation

from opcode_core.engine import door
from opcode_core.engine.door import Door
from opcode_core.engine.log import Log
from opcode_core.engine.runs import Runs
from opcode_core.engine.timers import Timers
from opcode_core.stop import Stop

Sabotage = Callable[[History, pytest.MonkeyPatch], None]
HERE = Path(__file__).parent
GROUPS, SIZE = 30, 10
LINES = 40
"""How many of the last lines of a history are told with its failure."""
TWICE = (1, 7, 11, 50, 123)
"""Seeds that are played twice; between them they have every kind of fault."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seeds" not in metafunc.fixturenames:
        return
    one = metafunc.config.getoption("--seed", default=None)
    if one is not None:
        metafunc.parametrize("seeds", [[one]], ids=[f"seed {one}"])
        return
    groups = [range(first, first + SIZE) for first in range(0, GROUPS * SIZE, SIZE)]
    metafunc.parametrize("seeds", groups, ids=[f"seeds {group[0]} to {group[-1]}" for group in groups])


def test_whatever_happens_every_promise_holds(seeds: range) -> None:
    failures = [told for seed in seeds if (told := played(seed))]
    assert not failures, "\n\n".join(failures)


def played(seed: int) -> str:
    """What went wrong in a history, and how to see it again."""
    history = History(seed)
    try:
        history.play()
    except Violation as violation:
        lines = [f"{at:10.4f} {who:7} {what:.160}" for at, who, what in history.lines[-LINES:]]
        again = f"python tests/simulation/simulate.py {seed} -v"
        return "\n".join([f"seed {seed}: {violation}", *lines, f"again: {again}"])
    return ""


@pytest.mark.parametrize("seed", TWICE)
def test_one_seed_makes_one_history(seed: int) -> None:
    first, second = recorded(seed), recorded(seed)
    assert first == second


def recorded(seed: int) -> bytes:
    history = History(seed)
    try:
        history.play()
    except Violation as violation:
        return history.record() + str(violation).encode()
    return history.record()


def test_another_process_tells_the_same_history() -> None:
    """Addresses of objects and the hashes of texts differ there; nothing may depend on them."""
    here = [hashlib.sha256(recorded(seed)).hexdigest() for seed in TWICE]
    there = subprocess.run(
        [sys.executable, HERE / "simulate.py", "--digest", *map(str, TWICE)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONHASHSEED": "4711"},
    )
    assert there.stdout.split() == here, there.stderr


# ---- the simulation itself must be able to find something: one part after the other is broken on purpose


def forget_first_write(history: History, _: pytest.MonkeyPatch) -> None:
    commit, left = history.database.commit, [3]

    async def forgets(commits: list) -> None:
        left[0] -= 1
        if left[0]:
            await commit(commits)

    history.database.commit = forgets


def never_wake(_: History, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Timers, "arm", lambda *_: None)


def never_recover(_: History, patch: pytest.MonkeyPatch) -> None:
    async def nothing(_: Runs) -> None: ...

    patch.setattr(Runs, "recover_orphans", nothing)


def call_before_the_log(_: History, patch: pytest.MonkeyPatch) -> None:
    async def begins(log: Log) -> None:
        log.commit_meanwhile()
        await asyncio.sleep(0)

    patch.setattr(Log, "commit", begins)


def retry_whatever_crashed(_: History, patch: pytest.MonkeyPatch) -> None:
    interrupted = Door._in_doubt
    patch.setattr(
        Door, "_in_doubt", lambda self, step, *rest: interrupted(self, replace(step, on_crash="retry"), *rest)
    )


def retry_at_once(_: History, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(door, "HELD", 1e9)
    patch.setattr(Stop, "sleep", lambda *_: asyncio.sleep(0))


def lose_messages(history: History, _: pytest.MonkeyPatch) -> None:
    history.database.post = history.database.drop = forget


async def forget(_: object) -> None: ...


SABOTAGE = [
    (forget_first_write, {}, "stored"),
    (never_wake, {}, "overdue"),
    (never_recover, {"crashes": 3}, "nothing has happened"),
    (call_before_the_log, {"slow": 0.6}, "before the log says so"),
    (retry_whatever_crashed, {"crashes": 3, "size": 7, "slow": 0.6}, "though on_crash is"),
    (retry_at_once, {}, "before its pause is over"),
    (lose_messages, {"machines": 2, "people": 3, "loner": False}, "messages are left"),
]


@pytest.mark.parametrize(
    ("sabotage", "settings", "complaint"), SABOTAGE, ids=[s[0].__name__ for s in SABOTAGE]
)
def test_what_is_broken_is_found(
    sabotage: Sabotage, settings: dict, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = set()
    for seed in range(60):
        history = History(seed, {"before": 0.0, "after": 0.0, **settings})
        with monkeypatch.context() as patch:
            sabotage(history, patch)
            try:
                history.play()
            except Violation as violation:
                if complaint in str(violation):
                    return
                found.add(str(violation).splitlines()[0])
    pytest.fail(f"nobody noticed; only {found}")
