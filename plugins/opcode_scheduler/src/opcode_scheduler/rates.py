"""How often callers that nobody knows may come."""

from time import monotonic

MOST_KNOWN = 10_000


class Rate:
    """A bucket for each caller: `most` at once, then so many a second.

    Args:
        each_second: that come back.
        most: at once.
    """

    def __init__(self, each_second: float, most: float) -> None:
        self.each_second = each_second
        self.most = most
        self._left: dict[str, tuple[float, float]] = {}

    def allows(self, caller: str) -> bool:
        """Whether one more may come now, which then counts."""
        now = monotonic()
        left, since = self._left.get(caller, (self.most, now))
        left = min(left + (now - since) * self.each_second, self.most)
        if left < 1:
            return False
        if caller not in self._left and len(self._left) >= MOST_KNOWN:
            self._left.clear()
        self._left[caller] = (left - 1, now)
        return True
