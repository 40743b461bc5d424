"""Commits: what is due in the same moment shares one transaction."""

import asyncio
from collections.abc import Callable, Sequence

from opcode_core.contracts.storage import Commit, Storage
from opcode_core.errors import ErrorCode, OpcodeError
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
        self._writer: asyncio.Task[None] | None = None

    async def commit(self, commit: Commit) -> None:
        """Return when `commit` is stored.

        Raises:
            OpcodeError: as the storage says; nothing of `commit` is stored then.
        """
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[None] = loop.create_future()
        self._waiting.append((commit, stored))
        if self._writer is None:  # it begins after all that is due in this turn of the loop
            self._writer = loop.create_task(self._write_all(), name="journal")
        await stored

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                await self._write_group(group)
        finally:
            self._writer = None

    async def _write_group(self, group: list[tuple[Commit, asyncio.Future[None]]]) -> None:
        try:
            await self._write([commit for commit, _ in group])
        except Exception as error:
            if len(group) > 1 and not _is_busy(error):
                await self._write_each(group, error)
                return
            for _, stored in group:
                _settle(stored, error)
        else:
            for _, stored in group:
                _settle(stored, None)

    async def _write_each(self, group: list[tuple[Commit, asyncio.Future[None]]], first: Exception) -> None:
        """After a group failed: one bad commit must not take the others with it."""
        for commit, stored in group:
            try:
                await self._write([commit])
            except Exception as error:
                # A conflict may be with itself: the storage had taken the group before it failed.
                unknown = _has_code(error, ErrorCode.CONFLICT) and _has_code(first, ErrorCode.STORE_ERROR)
                _settle(stored, first if unknown else error)
            else:
                _settle(stored, None)

    async def _write(self, commits: list[Commit]) -> None:
        await self._storage.commit(commits)
        self._committed(
            commits[0].events
            if len(commits) == 1
            else [event for commit in commits for event in commit.events]
        )


def _is_busy(error: Exception) -> bool:
    """Whether the storage had no time, which is nobody's fault."""
    return isinstance(error, OpcodeError) and bool((error.details or {}).get("busy"))


def _has_code(error: Exception, code: ErrorCode) -> bool:
    return isinstance(error, OpcodeError) and error.code is code


def _settle(stored: "asyncio.Future[None]", error: Exception | None) -> None:
    if stored.done():
        return
    if error is None:
        stored.set_result(None)
    else:
        stored.set_exception(error)
