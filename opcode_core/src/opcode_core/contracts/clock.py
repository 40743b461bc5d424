"""Where time, chance and names come from, so that a test can choose them."""

from typing import Protocol


class Clock(Protocol):
    """The engine's only source of time."""

    def now(self) -> float:
        """Seconds since the epoch; may jump when the machine's clock is set."""
        ...

    def monotonic(self) -> float:
        """Seconds since some start; never goes back. For measuring."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Come back after that long."""
        ...

    async def sleep_until(self, when: float) -> None:
        """Come back soon after `now()` has reached `when`, also when the clock was set meanwhile."""
        ...


class Ids(Protocol):
    """The engine's only source of chance."""

    def new(self) -> str:
        """A new identifier that sorts by the time of its making."""
        ...

    def fraction(self) -> float:
        """A random number in [0, 1), for jitter."""
        ...
