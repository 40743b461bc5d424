"""What every part of the suite starts from."""

from collections.abc import AsyncIterator, Callable
from typing import ClassVar

import pytest
import pytest_asyncio

from opcode_core import (
    Storage,
)

MakeStorage = Callable[[], Storage]


class StorageSuite:
    """An open storage for each test. `persistent` is False for a storage that forgets when it is closed."""

    pytestmark: ClassVar = [pytest.mark.asyncio]
    persistent: ClassVar[bool] = True

    @pytest.fixture
    def make_storage(self) -> MakeStorage:
        """A function that gives a storage which is not yet open, each time over the same place."""
        raise NotImplementedError("give your storage in a fixture named make_storage")

    @pytest_asyncio.fixture
    async def storage(self, make_storage: MakeStorage) -> AsyncIterator[Storage]:
        """An open storage with nothing in it."""
        storage = make_storage()
        await storage.open()
        yield storage
        await storage.close()
