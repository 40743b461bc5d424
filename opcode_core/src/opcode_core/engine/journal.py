"""Commits: what is due in the same moment shares one transaction."""

import asyncio
from collections.abc import Callable, Sequence

from opcode_core.contracts.storage import Commit, Storage
from opcode_core.events import Event

Committed = Callable[[Sequence[Event]], None]


class Journal:
    """Writes commits in the order in which they came, many to a transaction.

    Args:
        storage: where to.
        committed: called with the events of each transaction once they are stored.
    """

    def __init__(self, storage: Storage, committed: Committed) -> None:
        self._storage = storage
        self._committed = committed
        self._waiting: list[tuple[Commit, asyncio.Future[None]]] = []
        self._writing = False

    async def commit(self, commit: Commit) -> None:
        """Return when `commit` is stored.

        Raises:
            OpcodeError: as the storage says; nothing of `commit` is stored then.
        """
        if self._writing:
            stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((commit, stored))
            await stored
            return
        self._writing = True
        try:
            await self._write([commit])
        finally:
            self._writing = False
            if self._waiting:
                self._writing = True
                self._drainer = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                await self._write_group(group)
        finally:
            self._writing = False

    async def _write_group(self, group: list[tuple[Commit, asyncio.Future[None]]]) -> None:
        try:
            await self._write([commit for commit, _ in group])
        except Exception as error:
            if len(group) > 1:  # one bad commit must not take the others with it
                for one in group:
                    await self._write_group([one])
                return
            _settle(group[0][1], error)
        else:
            for _, stored in group:
                _settle(stored, None)

    async def _write(self, commits: list[Commit]) -> None:
        await self._storage.commit(commits)
        self._committed(
            commits[0].events
            if len(commits) == 1
            else [event for commit in commits for event in commit.events]
        )


def _settle(stored: "asyncio.Future[None]", error: Exception | None) -> None:
    if stored.done():
        return
    if error is None:
        stored.set_result(None)
    else:
        stored.set_exception(error)
