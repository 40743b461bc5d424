"""Seeing several runs through at once: a line for each when it has come to rest."""

import asyncio
from collections.abc import Sequence
from typing import Any

from opcode_core.cli.driving import GRACE
from opcode_core.cli.problems import count, say
from opcode_core.cli.screen import show
from opcode_core.engine.engine import Engine
from opcode_core.state import SUSPENDED

AT_ONCE = 20
"""Runs that are waited for at a time; all of them go on meanwhile."""


async def see_all(
    ready: Engine, first: "asyncio.Future[int]", run_ids: Sequence[str], *, quiet: bool
) -> list[dict[str, Any]]:
    """Wait until all have ended or wait for somebody, or a signal comes; how they stand then, in that order."""
    from opcode_core.answers import record_answer

    if not quiet:
        say(f"going on with {count(len(run_ids), 'run')}")
    following = asyncio.create_task(_wait_for_all(ready, list(reversed(run_ids)), quiet=quiet))
    either: list[asyncio.Future[Any]] = [following, first]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if not following.done():
        following.cancel()
        say(f"steps in flight have {GRACE:g} s to end … (once more: quit at once)")
        await ready.shut_down(GRACE)
        await ready.storage.open()
        say("what has not ended is left as it is: opcode resume")
    else:
        following.result()
    records = [await ready.storage.run(run_id) for run_id in run_ids]
    return [record_answer(record) for record in records if record is not None]


async def _wait_for_all(ready: Engine, run_ids: list[str], *, quiet: bool) -> None:
    """The last of the list, which is the oldest, first."""

    async def some() -> None:
        while run_ids:
            state = await ready.wait(run_ids.pop())
            if not quiet:
                _say(state)

    await asyncio.gather(*(some() for _ in range(min(AT_ONCE, len(run_ids)))))


def _say(state: Any) -> None:
    from rich.text import Text

    from opcode_core.cli.tables import error_text, status_text, title_of

    line = Text.assemble(status_text(state.status), f"  {state.id}  ", (title_of(state), "dim"))
    if state.status == SUSPENDED:
        line.append(f"  see opcode status {state.id}", "dim")
    show(line, *([error_text(state.error)] if state.error else []))
