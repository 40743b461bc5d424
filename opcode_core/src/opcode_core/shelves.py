"""A shelf of the in-memory storage: what is remembered beside the runs."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from opcode_core.codec import dumps, loads
from opcode_core.contracts.storage import Item
from opcode_core.errors import ErrorCode, OpcodeError


class Shelf:
    """Items by key.

    Their values are kept as JSON: they are read to be changed and put back, and who changes what was read
    must not change what is kept.
    """

    def __init__(self) -> None:
        self._kept: dict[str, Item] = {}  # the values as JSON
        self._order: list[str] = []  # ascending; code points sort as their UTF-8 bytes do

    def put(self, item: Item, version: int | None) -> Item:
        """Keep `item` as the next version of its key, and give it as it is then.

        Raises:
            OpcodeError: CONFLICT when `version` is not the stored one, VALIDATION_ERROR when the value is not JSON.
        """
        known = self._kept.get(item.key)
        stored = 0 if known is None else known.version
        if version is not None and version != stored:
            raise _conflict(item, version, stored)
        body = _encode(item)
        if known is None:
            insort(self._order, item.key)
        self._kept[item.key] = replace(item, value=body, version=stored + 1)
        return replace(item, version=stored + 1)

    def get(self, key: str) -> Item | None:
        """One item, or None."""
        kept = self._kept.get(key)
        return None if kept is None else replace(kept, value=loads(kept.value))

    def ascending(self, prefix: str, last: str | None) -> Iterator[Item]:
        """The items whose key begins with `prefix`, those after `last`, the smallest first."""
        first, end = self._stretch(prefix)
        if last is not None:
            first = max(first, bisect_right(self._order, last))
        return self._items(range(first, end))

    def descending(self, prefix: str, last: str | None) -> Iterator[Item]:
        """The items whose key begins with `prefix`, those before `last`, the greatest first."""
        first, end = self._stretch(prefix)
        if last is not None:
            end = min(end, bisect_left(self._order, last))
        return self._items(range(end - 1, first - 1, -1))

    def remove(self, keys: Sequence[str]) -> int:
        """Delete items; how many of them were there."""
        gone = [key for key in dict.fromkeys(keys) if self._kept.pop(key, None) is not None]
        for key in gone:
            del self._order[bisect_left(self._order, key)]
        return len(gone)

    def _stretch(self, prefix: str) -> tuple[int, int]:
        """Where the keys with that prefix begin in the order, and where they end."""
        end = bisect_right(self._order, prefix, key=lambda key: key[: len(prefix)])
        return bisect_left(self._order, prefix), end

    def _items(self, places: Iterable[int]) -> Iterator[Item]:
        for at in places:
            kept = self._kept[self._order[at]]
            yield replace(kept, value=loads(kept.value))


def _encode(item: Item) -> bytes:
    try:
        return dumps(item.value)
    except ValueError as error:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR,
            f"the value of item {item.key!r} on shelf {item.shelf!r} cannot be stored: {error}",
            details={"shelf": item.shelf, "key": item.key},
        ) from None


def _conflict(item: Item, expected: int, stored: int) -> OpcodeError:
    found = f"has version {stored}" if stored else "is not there"
    wanted = f"version {expected} was to be replaced" if expected else "was to be new"
    return OpcodeError(
        ErrorCode.CONFLICT,
        f"item {item.key!r} on shelf {item.shelf!r} {found}, but {wanted}; read it again",
        details={"shelf": item.shelf, "key": item.key, "version": stored},
    )
