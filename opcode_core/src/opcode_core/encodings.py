"""Texts inside texts: escapes undone, base64 and hex decoded, with the way back to where each character stood."""

import re
from binascii import a2b_base64
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

Span = tuple[int, int]
"""Where something begins in a text, and where it ends."""

_ESCAPE = re.compile(
    r"\\[uU][dD][89abAB][0-9a-fA-F]{2}\\[uU][dD][c-fC-F][0-9a-fA-F]{2}"
    r"|\\u[0-9a-fA-F]{4}|\\U00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\[\"'\\/bfnrt]"
    r"|%[0-9a-fA-F]{2}"
    r"|&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos);"
    r"|'\\''|'\"'\"'"  # a quote inside quotes, as shells write it
    r"|\r\n[ \t]*|\n[ \t]*"  # a line that was broken
    r"|»"  # where an error message says that a fault is
)
_SIGNS = ("\\", "%", "&", "\n", "»", "'\"'")
"""One of these is in every escape."""
_NAMED = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'"}
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
APART = "\0"
"""Stands between texts that are looked through together."""
_TO_BASE64 = str.maketrans("-_", "+/")


class Unescaped:
    """A text with one layer of escapes undone: JSON, Python, URL, HTML, shell, broken lines.

    A byte that is escaped by itself becomes the character of that number, as in Latin-1.
    """

    __slots__ = ("_here", "_there", "text")

    def __init__(self, text: str, found: "Iterator[re.Match[str]]") -> None:
        pieces: list[str] = []
        self._here, self._there = [0], [0]  # where literal text and escapes meet, in both texts
        length = last = 0
        for match in found:
            start, end = match.span()
            plain, meant = text[last:start], _meant(match[0])
            pieces += (plain, meant)
            self._here += (length + len(plain), length + len(plain) + len(meant))
            self._there += (start, end)
            length, last = self._here[-1], end
        pieces.append(text[last:])
        self.text = "".join(pieces)
        self._here.append(len(self.text))
        self._there.append(len(text))

    def back(self, span: Span) -> Span:
        """Where that stood before; of an escape always the whole."""
        start, end = span
        first = min(bisect_right(self._here, start), len(self._here) - 1) - 1
        last = max(bisect_left(self._here, end), 1) - 1
        start = self._there[first] + (start - self._here[first] if self._literal(first) else 0)
        end = self._there[last] + (end - self._here[last]) if self._literal(last) else self._there[last + 1]
        return start, end

    def _literal(self, piece: int) -> bool:
        here, there = self._here, self._there
        return here[piece + 1] - here[piece] == there[piece + 1] - there[piece]


def unescaped(text: str) -> Unescaped | None:
    """`text` with one layer of escapes undone, None when there is none in it."""
    if any(sign in text for sign in _SIGNS):
        found = list(_ESCAPE.finditer(text))
        if found:
            return Unescaped(text, iter(found))
    return None


def _meant(escape: str) -> str:
    kind = escape[0]
    if kind == "%":
        return chr(int(escape[1:], 16))
    if kind == "&":
        return _NAMED.get(escape) or _character(escape.strip("&#;"))
    if kind == "'":
        return "'"
    if kind != "\\":
        return ""
    if escape[1] not in "uUx":
        return _SHORT.get(escape[1], escape[1])
    if len(escape) == 12:
        high, low = int(escape[2:6], 16), int(escape[8:], 16)
        return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    return _character(f"x{escape[2:]}")


def _character(digits: str) -> str:
    number = int(digits[1:], 16) if digits[0] in "xX" else int(digits)
    return chr(number) if number < 0x110000 else "?"


class Encoded:
    """Looks for bytes, at least `shortest` of them, that are written as base64 or hex."""

    def __init__(self, shortest: int) -> None:
        self._base64 = re.compile(f"([A-Za-z0-9+/_-]{{{max(shortest * 4 // 3, 4)},}})={{0,2}}")
        self._hex = re.compile(f"([0-9a-fA-F]{{{max(shortest * 2, 4)},}})")

    def readings(self, text: str) -> "Iterator[Decoded]":
        """All that is written in these alphabets, decoded from each place where its first byte may begin."""
        runs = list(self._hex.finditer(text))
        for phase in range(2) if runs else ():
            yield Decoded(runs, phase, 2, "0", bytes.fromhex)
        runs = list(self._base64.finditer(text))
        for phase in range(4) if runs else ():
            yield Decoded(runs, phase, 4, "A", _from_base64)


def _from_base64(text: str) -> bytes:
    return a2b_base64(text.translate(_TO_BASE64))


class Decoded:
    """Bytes, each as the character of its number, that stood in a text as some of its characters.

    Args:
        runs: where they stood; what belongs to a run beyond its group is padding.
        phase: how many characters of each are left out at its beginning.
        group: how many characters make whole bytes: 2 of hex, 4 of base64.
        zero: the character for no bits.
        decode: such characters.

    Attributes:
        text: what they say, with an APART or more after each.
    """

    __slots__ = ("_bits", "_here", "_there", "text")

    def __init__(
        self,
        runs: Sequence["re.Match[str]"],
        phase: int,
        group: int,
        zero: str,
        decode: Callable[[str], bytes],
    ) -> None:
        self._bits = 4 if group == 2 else 6
        texts = [run[1][phase:] for run in runs]
        texts = [text + zero * (group + -len(text) % group) for text in texts]
        self._here = [0, *(size * self._bits // 8 for size in accumulate(map(len, texts)))]
        self._there = [(run.start() + phase, run.end(1), run.end()) for run in runs]
        self.text = decode("".join(texts)).decode("latin-1")

    def back(self, span: Span) -> Span:
        """Where that stood, with characters that hold a part of it only, and with the padding after it."""
        last_run = len(self._there)
        first = bisect_right(self._here, span[0], hi=last_run) - 1
        last = bisect_right(self._here, span[1] - 1, hi=last_run) - 1
        start = self._there[first][0] + (span[0] - self._here[first]) * 8 // self._bits
        begin, end, padded = self._there[last]
        reached = begin - (-(span[1] - self._here[last]) * 8 // self._bits)
        return start, padded if reached >= end else reached
