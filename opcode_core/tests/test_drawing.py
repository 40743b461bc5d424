"""One drawing for all who ask at the same time, and again later."""

import asyncio
import threading

import pytest

from opcode_core import Diagram, ErrorCode, OpcodeError
from opcode_core.drawing import AT_ONCE, KEPT, draw
from opcode_testkit.diagrams import linked, step


class Slow:
    """Draws when it is let, and counts."""

    format, media_type = "slow", "text/plain"

    def __init__(self) -> None:
        self.go = threading.Event()
        self.drawn: list[str] = []
        self.threads: set[str] = set()
        self.now = self.most = 0
        self.lock = threading.Lock()

    def render(self, diagram: Diagram) -> str:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        assert self.go.wait(20)
        with self.lock:
            self.now -= 1
            self.drawn.append(diagram.title)
            self.threads.add(threading.current_thread().name)
        if diagram.title == "bad":
            raise OpcodeError(ErrorCode.EXECUTION_ERROR, "no ink")
        return diagram.title * 3


def titled(title: str) -> Diagram:
    return linked([step("a")], title=title)


async def test_a_hundred_ask_and_one_is_drawn_beside_the_loop():
    slow = Slow()
    asked = [asyncio.create_task(draw(slow, titled("x"))) for _ in range(100)]
    for _ in range(10):
        await asyncio.sleep(0)  # the loop turns while it is drawn
    slow.go.set()
    assert await asyncio.gather(*asked) == ["xxx"] * 100
    assert slow.drawn == ["x"]
    assert await draw(slow, titled("x")) == "xxx"
    assert slow.drawn == ["x"]
    assert "MainThread" not in slow.threads


async def test_another_state_is_another_drawing():
    slow = Slow()
    slow.go.set()
    await draw(slow, linked([step("a", status="running")]))
    await draw(slow, linked([step("a", status="completed")]))
    assert len(slow.drawn) == 2


async def test_few_are_in_the_making_at_once():
    slow = Slow()
    asked = [asyncio.create_task(draw(slow, titled(str(i)))) for i in range(10)]
    while slow.now < AT_ONCE:
        await asyncio.sleep(0.001)
    slow.go.set()
    await asyncio.gather(*asked)
    assert slow.most == AT_ONCE


async def test_who_goes_away_takes_nothing_from_the_others():
    slow = Slow()
    first, second = (asyncio.create_task(draw(slow, titled("x"))) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    slow.go.set()
    assert await second == "xxx"
    assert first.cancelled()


async def test_an_error_is_told_to_all_and_not_remembered():
    slow = Slow()
    slow.go.set()
    told = await asyncio.gather(*(draw(slow, titled("bad")) for _ in range(5)), return_exceptions=True)
    assert {str(error) for error in told} == {"EXECUTION_ERROR: no ink"}
    assert slow.drawn == ["bad"]
    with pytest.raises(OpcodeError):
        await draw(slow, titled("bad"))
    assert slow.drawn == ["bad"] * 2


async def test_old_ones_are_forgotten():
    slow = Slow()
    slow.go.set()
    for i in range(KEPT + 1):
        await draw(slow, titled(str(i)))
    await draw(slow, titled("0"))
    await draw(slow, titled(str(KEPT)))
    assert len(slow.drawn) == KEPT + 2
