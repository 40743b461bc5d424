"""Undoing a response's compression, piece by piece, so that a bomb is noticed before it goes off."""

import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

PIECE = 64 * 1024
MOST_LAYERS = 3
_GZIP, _ZLIB, _BARE = 31, 15, -15


class OverflowedError(Exception):
    """A body that is, or unpacks to, more than is allowed."""


class UnreadableError(Exception):
    """A body that is not in the compression that its header claims."""


class _Zlib:
    """One layer of gzip, whose parts may follow one another, or of deflate, with its header or without."""

    def __init__(self, *bits: int) -> None:
        self._bits = list(bits)
        self._inner: zlib._Decompress | None = None
        self._whole = False

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """What that unpacks to, in pieces of PIECE bytes at most."""
        full = False
        while (data or full) and not self._is_rest(data):
            inner, piece = self._next(data)
            full = len(piece) == PIECE
            data = inner.unused_data if inner.eof else inner.unconsumed_tail
            if inner.eof:
                self._inner, self._whole, full = None, True, False
            if piece:
                yield piece

    def finish(self) -> None:
        """Notice a body that ends too early."""
        if self._inner is not None:
            raise UnreadableError("it ends too early")

    def _next(self, data: bytes) -> "tuple[zlib._Decompress, bytes]":
        while True:
            fresh = self._inner is None
            inner = self._inner = self._inner or zlib.decompressobj(self._bits[0])
            try:
                return inner, inner.decompress(data, PIECE)
            except zlib.error as error:
                if not fresh or len(self._bits) == 1:
                    raise UnreadableError(str(error)) from None
                self._inner = None
                del self._bits[0]

    def _is_rest(self, data: bytes) -> bool:
        """Whether that only fills up behind the end, as some servers do."""
        return self._whole and self._inner is None and not (self._bits == [_GZIP] and data[:1] == b"\x1f")


_LAYERS: dict[str, Callable[[], _Zlib]] = {
    "gzip": lambda: _Zlib(_GZIP),
    "x-gzip": lambda: _Zlib(_GZIP),
    "deflate": lambda: _Zlib(_ZLIB, _BARE),
}


@dataclass(slots=True)
class _Counted:
    """Counts what goes by; more than `most` bytes are too much, wherever in the layers they turn up."""

    most: int
    seen: int = field(default=0)

    def pass_on(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.seen += len(piece)
            if self.seen > self.most:
                raise OverflowedError
            yield piece


async def unpacked(raw: AsyncIterator[bytes], encodings: str, most: int) -> bytes:
    """The whole body as it was before `encodings`, the value of Content-Encoding, were laid around it.

    Raises:
        OverflowedError: for more than `most` bytes, of any layer.
        UnreadableError: when it is not what the encodings say, or they are none that was asked for.
    """
    layers = _layers(encodings)
    counts = [_Counted(most) for _ in range(len(layers) + 1)]
    content = bytearray()
    async for chunk in raw:
        pieces = counts[0].pass_on(iter((chunk,)))
        for layer, count in zip(layers, counts[1:], strict=True):
            pieces = count.pass_on(_through(layer, pieces))
        for piece in pieces:
            content += piece
    for layer in layers:
        layer.finish()
    return bytes(content)


def _through(layer: _Zlib, pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield from layer.unpack(piece)


def _layers(encodings: str) -> list[_Zlib]:
    names = [name.strip().lower() for name in encodings.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    unknown = [name for name in names if name not in _LAYERS]
    if unknown or len(names) > MOST_LAYERS:
        told = f"{unknown[0][:40]!r} was not asked for" if unknown else f"{len(names)} layers are too many"
        raise UnreadableError(told)
    return [_LAYERS[name]() for name in reversed(names)]
