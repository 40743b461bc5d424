"""What happens in a history: who dies, where and when."""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping

from kill_calls import read_ledger
from kill_database import downgrade
from kill_history import MUCH, History
from kill_process import Died, Process
from kill_promises import was_set_aside
from kill_workflows import OLD

from opcode_core.engine.recovery import MOST_DEATHS

PLACES = {
    "before:commit": 12,
    "after:commit": 12,
    "statement:commit": 60,
    "begin:action": 15,
    "end:action": 15,
    "answer:start": 4,
    "answer:signal": 3,
    "answer:decision": 3,
    "before:claim": 6,
    "after:claim": 6,
    "statement:claim": 12,
    "before:post": 2,
    "after:post": 2,
    "before:beat": 2,
    "statement:beat": 3,
    "after:beat": 2,
    "before:leave": 1,
    "statement:leave": 3,
    "after:leave": 1,
    "before:open": 1,
    "statement:open": 6,
    "after:open": 1,
}
"""Where a worker may die, and at which of its times there at the latest."""
NEW = {"statement:open": 60, "statement:add_template": 20, "before:commit": 3, "statement:commit": 20}
"""The same for the first worker of all."""
MIGRATION = 29
"""Statements that it takes to bring a database of the first version up to date."""


async def alone(history: History, deaths: int = 6) -> None:
    """One worker after the other dies; each finds what the one before has left."""
    if history.chance.random() < 0.1:
        await history.dies_at(_some_place(history, NEW))
    else:
        await history.make_database()
    history.want(5)
    for _ in range(deaths):
        await _death(history)
        history.want(3)
    await history.spawn()
    await history.to_the_end()


async def _death(history: History) -> None:
    how = history.chance.random()
    if how < 0.35:
        await history.dies_at_random()
    elif how < 0.45:
        await history.dies_while_starting()
    elif how < 0.5:
        await history.dies_while_quitting()
    else:
        await history.dies_at(_some_place(history, PLACES))


def _some_place(history: History, places: Mapping[str, int]) -> str:
    place = history.chance.choice(sorted(places))
    return f"{place}:{1 + int(places[place] * history.chance.random() ** 2)}"


async def pair(history: History, deaths: int = 3) -> None:
    """Two workers share the database; one of them dies, and the other takes over what it drove."""
    chance = history.chance
    history.shared = True
    await history.make_database()
    survivor = await history.spawn()
    for _ in range(deaths):
        place = _some_place(history, PLACES) if chance.random() < 0.5 else ""
        victim = await history.spawn(place)
        await survivor.ready_or_dead()
        await victim.ready_or_dead()
        history.want(6)
        await history.some_work(chance.randint(10, MUCH), victim)
        if not place and chance.random() < 0.5:
            survivor, victim = victim, survivor
        await history.kill(victim, place, "one of two, at random")
        await history.taken_over(victim)
    await history.to_the_end()


async def crowd(history: History, deaths: int = 8) -> None:
    """Three workers share the database; whenever one of them dies, another is born and takes up what it finds."""
    chance = history.chance
    history.shared = True
    await history.make_database()
    workers: list[tuple[Process, str]] = []
    for _ in range(deaths):
        while len(workers) < 3:
            place = _some_place(history, PLACES) if chance.random() < 0.5 else ""
            workers.append((await history.spawn(place), place))
        history.want(3)
        await history.some_work(chance.randint(0, MUCH), workers[0][0])
        await history.kill(*workers.pop(0))
        for one in [one for one in workers if one[0].is_dead]:
            workers.remove(one)
            await history.kill(*one)
    for worker, place in workers:
        if place:
            await history.kill(worker, place)
    await history.spawn()
    await history.to_the_end()


async def stop(history: History) -> None:
    """A worker stands still until its lease is over and another has its runs; then it goes on, too late."""
    chance = history.chance
    history.shared = True
    history.lease = 2.0
    await history.make_database()
    late, other = await history.spawn(), await history.spawn()
    await late.ready_or_dead()
    await other.ready_or_dead()
    history.want(8)
    await history.some_work(chance.randint(10, MUCH))
    await history.stop(late)
    await history.taken_over(late)
    await history.some_work(chance.randint(0, 5))
    late.go_on()
    history.want(3)
    await history.some_work(chance.randint(0, MUCH))
    await history.kill(chance.choice([late, other]), how="one of two, at random")
    await history.to_the_end()


async def purge(history: History, deaths: int = 3) -> None:
    """Workers die while they delete what has ended; the rest goes on."""
    chance = history.chance
    await history.make_database()
    history.want(6)
    for death in range(deaths):
        place = ["before:purge:1", f"statement:purge:{chance.randint(1, 40)}", "after:purge:1"][death % 3]
        worker = await history.spawn(place)
        await worker.ready_or_dead()
        history.want(2)
        await history.some_work(2 * MUCH)
        before = time.time() - 0.5  # what ended by then is surely stored by now
        left = history.left()
        assert left is not None
        history.purged |= {
            run_id for run_id, state in left.states.items() if state.ended and state.ended_at < before
        }
        try:
            await worker.ask("purge", repr(before))
        except Died:
            await worker.death()
        await history.kill(worker, place)
    await history.spawn()
    await history.to_the_end()


async def migration(history: History, deaths: int = 3) -> None:
    """Workers die while they bring a database of the first version up to date; then its runs go on."""
    chance = history.chance
    await history.make_database()
    for name in chance.sample(OLD, 6):
        history.tender.want(name)
    await history.dies_at_random()
    downgrade(history.database)
    for _ in range(deaths):
        await history.dies_at(f"statement:open:{chance.randint(1, MIGRATION)}")
    await history.dies_at(chance.choice(["before:open:1", "after:open:1"]))
    await history.spawn()
    await history.to_the_end()


async def deadly(history: History) -> None:
    """A run takes its process along each time, until it is set aside; the innocent beside it come to their end."""
    await history.make_database()
    history.recovery = "resume"  # else somebody is asked each time, who says yes
    history.tender.want("deadly")
    history.want(4)
    for _ in range(MOST_DEATHS):
        worker = await history.spawn()
        await worker.death()
        await history.kill(worker, how="in a deadly action")
    await history.spawn()
    await history.to_the_end()
    history.violations += _wrong_deadly_end(history)


def _wrong_deadly_end(history: History) -> Iterator[str]:
    left = history.left()
    assert left is not None
    for one in history.tender.wanted:
        run_id = one.run_id or ""
        if was_set_aside(left.logs[run_id]) != (one.name == "deadly"):
            yield f"{one.name} ended as {left.states[run_id].status}, though it is not the one that kills"
        if one.name == "deadly":
            message = (left.states[run_id].error or {}).get("message", "")
            if not message.startswith(
                f"the process ended {MOST_DEATHS} times in a row while this run went on in step b"
            ):
                yield f"what the run that kills says of itself is {message!r}"
            calls = [call for call in read_ledger(history.folder / "ledger") if call.step == f"{run_id}:b"]
            if len(calls) != MOST_DEATHS:
                yield f"the deadly action was called {len(calls)} times"


PLOTS: Mapping[str, Callable[[History], Awaitable[None]]] = {
    "alone": alone,
    "pair": pair,
    "crowd": crowd,
    "stop": stop,
    "purge": purge,
    "migration": migration,
    "deadly": deadly,
}
