"""Functions over strings. What they make is announced to the meter before it is made."""

from collections.abc import Callable
from typing import Any

from opcode_expr.faults import EvalError
from opcode_expr.meter import TEXT, Meter
from opcode_expr.values import STRING, MadeList, a, kind_of

MOST_REPEATED = 1_000_000
"""How often repeat() repeats."""


def trim(meter: Meter, text: str, characters: str | None = None) -> str:
    """Without white space, or without those characters, at its ends."""
    meter.text(text)
    meter.spend(len(characters or ""))
    return text.strip(characters)


def trim_prefix(meter: Meter, text: str, prefix: str = " ") -> str:
    """Without that beginning."""
    meter.text(text)
    return text.removeprefix(prefix)


def trim_suffix(meter: Meter, text: str, suffix: str = " ") -> str:
    """Without that end."""
    meter.text(text)
    return text.removesuffix(suffix)


def upper(meter: Meter, text: str) -> str:
    """In capitals."""
    meter.text(text)
    return text.upper()


def lower(meter: Meter, text: str) -> str:
    """In small letters."""
    meter.text(text)
    return text.lower()


def split(meter: Meter, text: str, separator: str, limit: int = -1) -> MadeList:
    """The parts between separators, at most `limit` when that is not negative."""
    return MadeList(_parts(meter, text, separator, limit))


def split_after(meter: Meter, text: str, separator: str, limit: int = -1) -> MadeList:
    """The same, each part but the last with its separator."""
    parts = _parts(meter, text, separator, limit)
    meter.make(len(separator) * len(parts) * 4)
    return MadeList([*(part + separator for part in parts[:-1]), *parts[-1:]])


def _parts(meter: Meter, text: str, separator: str, limit: int) -> list[str]:
    if limit == 0:
        return []
    found = text.count(separator) + 1 if separator else len(text)
    count = found if limit < 0 else min(found, limit)
    meter.make((TEXT + 8) * count)
    meter.text(text)
    if separator:
        return text.split(separator, count - 1)
    return [*text[: count - 1], text[count - 1 :]] if count else []


def replace(meter: Meter, text: str, old: str, new: str, limit: int = -1) -> str:
    """With `old` replaced by `new`, the first `limit` times when that is not negative."""
    found = text.count(old)
    times = found if limit < 0 else min(found, limit)
    meter.text(text, new, length=len(text) + times * max(0, len(new) - len(old)))
    return text.replace(old, new, times)


def repeat(meter: Meter, text: str, times: int) -> str:
    """`times` of it, one after the other."""
    if times < 0:
        raise EvalError(f"repeat() takes how often as a number from 0, not {times}")
    if times > MOST_REPEATED:
        raise EvalError(f"repeat() repeats at most {MOST_REPEATED:,} times")
    meter.text(text, length=len(text) * times)
    return text * times


def join(meter: Meter, parts: Any, glue: str = "") -> str:
    """The strings of an array, with `glue` between them."""
    meter.spend(len(parts))
    for index, part in enumerate(parts):
        if kind_of(part) != STRING:
            raise EvalError(
                f"join() takes an array of strings, and its [{index}] is {a(kind_of(part))};"
                " array | map(string(#)) | join() makes strings of its items"
            )
    length = sum(map(len, parts)) + len(glue) * len(parts)
    meter.make(TEXT + length)
    wide = 4 if not glue.isascii() or not all(part.isascii() for part in parts) else 1
    meter.make(length * (wide - 1))
    return glue.join(parts)


def test(check: Callable[[str, str], Any]) -> Callable[[Meter, str, str], Any]:
    """A function that looks for one string in another."""

    def call(meter: Meter, text: str, part: str) -> Any:
        meter.spend(1 + len(text) // 64)
        return check(text, part)

    return call
