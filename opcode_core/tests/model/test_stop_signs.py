"""A stop holds for its place and for all places inside it, and wakes who sleeps there."""

import asyncio

import pytest

from opcode_core.stop import Stop


class Still:
    """A clock in which no sleep ends by itself."""

    def __init__(self) -> None:
        self.sleeping = 0

    def now(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.sleeping += 1
        try:
            if seconds:
                await asyncio.Event().wait()
        finally:
            self.sleeping -= 1


@pytest.fixture
def chain() -> list[Stop]:
    outer = Stop()
    middle = Stop(outer)
    return [outer, middle, Stop(middle)]


@pytest.mark.parametrize(("asked", "seen"), [(0, "yyy"), (1, "-yy"), (2, "--y")])
def test_it_holds_inside_and_not_outside(chain: list[Stop], asked: int, seen: str):
    chain[asked].request("enough")
    assert [stop.requested for stop in chain] == ["enough" if mark == "y" else None for mark in seen]


def test_the_first_reason_counts_and_the_nearest(chain: list[Stop]):
    outer, middle, inner = chain
    outer.request("first")
    outer.request("second")
    assert inner.requested == "first"
    middle.request("nearer")
    assert (inner.requested, outer.requested) == ("nearer", "first")


async def test_a_sleep_ends_by_the_clock(chain: list[Stop]):
    clock = Still()
    await asyncio.wait_for(chain[2].sleep(clock, 0), 5)
    assert chain[2].requested is None


@pytest.mark.parametrize("asked", [0, 1, 2])
async def test_a_sleep_ends_when_a_stop_is_requested_here_or_further_out(chain: list[Stop], asked: int):
    clock = Still()
    sleepers = [asyncio.create_task(chain[2].sleep(clock, 3600)) for _ in range(2)]
    while clock.sleeping < 2:
        await asyncio.sleep(0)
    chain[asked].request("enough")
    chain[0].request("again")
    await asyncio.wait_for(asyncio.gather(*sleepers), 5)
    while clock.sleeping:
        await asyncio.sleep(0)
    assert not any(stop._sleepers for stop in chain)


async def test_a_stop_inside_wakes_nobody_outside(chain: list[Stop]):
    clock = Still()
    sleeper = asyncio.create_task(chain[0].sleep(clock, 3600))
    while not clock.sleeping:
        await asyncio.sleep(0)
    chain[1].request("enough")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not sleeper.done()
    sleeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeper
    assert not chain[0]._sleepers


async def test_a_sleep_in_a_place_that_is_stopped_already_ends_at_once(chain: list[Stop]):
    chain[0].request("enough")
    await asyncio.wait_for(chain[2].sleep(Still(), 3600), 1)
