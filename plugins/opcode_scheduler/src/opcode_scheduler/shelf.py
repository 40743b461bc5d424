"""Where jobs lie: an item each, changed under compare-and-swap."""

from collections.abc import AsyncIterator, Callable

from opcode_core import ErrorCode, OpcodeError, Storage
from opcode_scheduler.job import GONE, SHELF, Job, read_job

PAGE = 500
TRIES = 20
"""Times that a change is tried again because somebody else changed the same job."""


class Shelf:
    """The jobs of a storage."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    async def find(self, job_id: str) -> tuple[Job, int] | None:
        """A job and its version, or None."""
        item = await self.storage.item(SHELF, job_id)
        return None if item is None else (read_job(item.value), item.version)

    async def all(self) -> AsyncIterator[Job]:
        """Every job, by id."""
        cursor: str | None = None
        while True:
            page = await self.storage.items(SHELF, limit=PAGE, cursor=cursor)
            for item in page.items:
                yield read_job(item.value)
            cursor = page.cursor
            if cursor is None:
                return

    async def add(self, job: Job, now: float) -> Job:
        """Keep a new one.

        Raises:
            OpcodeError: CONFLICT when its id is taken.
        """
        try:
            await self.storage.put(SHELF, job.id, job.to_json(), now, version=0)
        except OpcodeError as error:
            if error.code is not ErrorCode.CONFLICT:
                raise
            raise OpcodeError(ErrorCode.CONFLICT, f"there is already a schedule '{job.id}'") from None
        return job

    async def replace(self, job: Job, version: int, now: float) -> bool:
        """Keep it in place of that version; whether it still was that one."""
        try:
            await self.storage.put(SHELF, job.id, job.to_json(), now, version=version)
        except OpcodeError as error:
            if error.code is ErrorCode.CONFLICT:
                return False
            raise
        return True

    async def change(self, job_id: str, how: Callable[[Job], Job], now: float) -> Job | None:
        """Change a job as it is at that moment; None when it is not there."""
        for _ in range(TRIES):
            found = await self.find(job_id)
            if found is None:
                return None
            job = how(found[0])
            if job == found[0] or await self.replace(job, found[1], now):
                return job
        raise OpcodeError(ErrorCode.CONFLICT, f"schedule '{job_id}' is being changed by others; try again")

    async def remove(self, job_id: str) -> bool:
        """Whether it was there."""
        return await self.storage.remove(SHELF, [job_id]) > 0

    async def seen(self, job: Job) -> Job:
        """The same with its runs as they stand now."""
        statuses: dict[str, str] = {}
        for past in job.recent:
            if past.ended or past.run_id is None:
                continue
            record = await self.storage.run(past.run_id)
            statuses[past.run_id] = GONE if record is None else record.status
        return job.with_status(statuses)
