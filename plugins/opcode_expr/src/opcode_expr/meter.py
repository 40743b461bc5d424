"""How much one evaluation may use."""

from time import thread_time

from opcode_core import TimeUp
from opcode_expr.faults import LimitError

SECONDS = 1.0
"""Processor time of one evaluation where nobody says otherwise."""

ROOM = 32 * 1024 * 1024
"""Bytes of text, arrays and maps that one evaluation may make."""

STRIDE = 256
"""Units of work between two looks at the clock."""

UNIT = 0.25e-6
"""Seconds that a unit takes at least, of many that are done at once."""

ITEM, TEXT, MAP, NUMBER = 8, 56, 64, 32
"""About what the place in an array, a text, a map and a number take, in bytes."""


class Meter:
    """Counts the work of one evaluation; a unit is about one operator."""

    __slots__ = ("_deadline", "_left", "_room", "_seconds")

    def __init__(self, seconds: float = SECONDS) -> None:
        self._left = STRIDE
        self._room = ROOM
        self._seconds = seconds
        self._deadline = thread_time() + seconds

    def spend(self, units: int = 1) -> None:
        """Say that `units` of work are about to be done.

        Raises:
            TimeUp: when there is no time for it; waiting for other threads does not count.
        """
        self._left -= units
        if self._left < 0:
            self._left = STRIDE
            if thread_time() + units * UNIT > self._deadline:
                raise TimeUp(self._seconds)

    def make(self, size: int) -> None:
        """Say that something of `size` bytes is about to be made.

        Raises:
            LimitError: when it would be too much.
            TimeUp: as `spend` does.
        """
        self._room -= size
        if self._room < 0:
            raise LimitError(f"makes too much: more than {ROOM // 2**20} MiB of text, arrays and maps")
        self.spend(1 + size // 64)

    def text(self, *texts: str, length: int | None = None) -> None:
        """Say that a text is about to be made of these; `length` is its own, else their sum.

        Raises:
            LimitError: when it would be too much.
            TimeUp: as `spend` does.
        """
        size = sum(map(len, texts)) if length is None else length
        wide = 1 if all(text.isascii() for text in texts) else 4
        self.make(TEXT + size * wide)
