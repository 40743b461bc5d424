"""A service: a part that lives as long as the engine."""

from typing import Protocol


class Service(Protocol):
    """Started after the storage is open and before the first run; stopped in reverse order."""

    name: str

    async def start(self) -> None:
        """Begin; return when ready."""
        ...

    async def stop(self) -> None:
        """End; leave nothing running."""
        ...
