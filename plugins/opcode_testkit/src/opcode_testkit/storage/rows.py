"""Rows to store, and ways to look at what comes back."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import pytest

from opcode_core import (
    Commit,
    Decision,
    Event,
    Message,
    OpcodeError,
    Page,
    RunRecord,
    TemplateRecord,
)

Row = TypeVar("Row")


class Identified(Protocol):
    """A run, a decision or a message."""

    @property
    def id(self) -> str:
        """Its id."""
        ...


def a_run(run_id: str = "r1", sequence: int = 0, **changes: Any) -> RunRecord:
    """A run's row with something in every field that must not be None."""
    row = RunRecord(
        id=run_id,
        status="active",
        definition_hash="hash-1",
        template_name=None,
        template_version=None,
        agent_id="agent",
        started_at=1_700_000_000.25,
        updated_at=1_700_000_000.5,
        sequence=sequence,
    )
    return replace(row, **changes)


def an_event(run_id: str, sequence: int, **changes: Any) -> Event:
    """An event of that run."""
    event = Event(run_id, sequence, "step_completed", f"step_{sequence}", {"n": sequence}, "agent", 1.5)
    return event._replace(**changes)


def a_commit(run_id: str = "r1", first: int = 1, count: int = 1, **changes: Any) -> Commit:
    """A commit of `count` events, the first of which has the sequence `first`."""
    last = first + count - 1
    events = [an_event(run_id, sequence) for sequence in range(first, last + 1)]
    return Commit(a_run(run_id, last, **changes), events)


def a_decision(decision_id: str = "d1", run_id: str = "r1", **changes: Any) -> Decision:
    """A pending decision that anybody may answer."""
    decision = Decision(
        id=decision_id,
        workflow_id=run_id,
        step_id="ask",
        target_agent_id=None,
        prompt="Go on?",
        data={"n": 1},
        options=[{"id": "yes", "description": "go on"}, {"id": "no", "description": "stop"}],
        response_schema=None,
        timeout_at=None,
        fallback=None,
        created_at=1.5,
    )
    return replace(decision, **changes)


def a_message(message_id: str = "m1", run_id: str = "r1", **changes: Any) -> Message:
    """Data for a step of that run."""
    return replace(Message(message_id, run_id, "data", "ask", {"n": 1}, "agent", 1.5), **changes)


def a_template(name: str = "deploy", **changes: Any) -> TemplateRecord:
    """A template whose version is still to be given."""
    row = TemplateRecord(
        name=name,
        version=0,
        definition_hash=f"hash-{name}",
        definition=b'{"steps": []}',
        agent_id="agent",
        created_at=1.5,
    )
    return replace(row, **changes)


async def refused(call: Awaitable[Any]) -> OpcodeError:
    """The error that `call` raises; a test fails if it raises none."""
    with pytest.raises(OpcodeError) as caught:
        await call
    return caught.value


async def all_rows(
    page_at: Callable[[str | None], Awaitable[Page[Row]]],
    between: Callable[[], Awaitable[Any]] | None = None,
) -> list[Row]:
    """Every row, page by page; `between` is awaited after each page."""
    rows: list[Row] = []
    cursor: str | None = None
    for _ in range(1000):
        page = await page_at(cursor)
        rows.extend(page.items)
        cursor = page.cursor
        if cursor is None:
            return rows
        assert page.items, "a page with a cursor has rows"
        assert cursor.isascii(), "a cursor is URL-safe text"
        assert not set(cursor) & set(" +/=?&#%"), "a cursor is URL-safe text"
        if between is not None:
            await between()
    raise AssertionError("the pages never end")


def ids(rows: Iterable[Identified]) -> list[str]:
    """Their ids, in order."""
    return [row.id for row in rows]
