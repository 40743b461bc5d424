"""How often somebody may come."""

from collections.abc import Callable
from time import monotonic

MOST_KNOWN = 10_000


class Rate:
    """So many times a second, and as many at once as come in `burst` seconds.

    Args:
        each_second: times a second that one key may come.
        burst: seconds' worth that may come at once.
        clock: seconds, only ever rising.
    """

    def __init__(
        self, each_second: float, burst: float = 2.0, clock: Callable[[], float] = monotonic
    ) -> None:
        self.each_second = each_second
        self.most = each_second * burst
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, key: str) -> float:
        """0 when it may come now, which then counts; else the seconds after which it may."""
        now = self._clock()
        left, since = self._left.get(key, (self.most, now))
        left = min(left + (now - since) * self.each_second, self.most)
        if left < 1:
            self._left[key] = (left, now)
            return (1 - left) / self.each_second
        if len(self._left) >= MOST_KNOWN:
            self._left.clear()
        self._left[key] = (left - 1, now)
        return 0.0

    def is_over(self, key: str) -> bool:
        """Whether it came too often, without counting this time."""
        left, since = self._left.get(key, (self.most, 0.0))
        return left + (self._clock() - since) * self.each_second < 1
