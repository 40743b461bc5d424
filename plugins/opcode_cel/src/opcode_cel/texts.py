"""Functions over text. What they make is announced to the meter before it is made."""

from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase
from typing import Any

import re2  # type: ignore[import-untyped]

from opcode_cel.faults import EvalError
from opcode_cel.kinds import STRING, MadeList, a, kind_of
from opcode_cel.meter import Meter

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)
MAX_PATTERN = 4096


def matches(meter: Meter, text: str, pattern: str) -> bool:
    """Whether the RE2 pattern is found anywhere in the text; linear in its length."""
    if len(pattern) > MAX_PATTERN:
        raise EvalError(f"a pattern has at most {MAX_PATTERN} characters")
    meter.spend(1 + len(text) // 64)
    try:
        return _pattern(pattern).search(text) is not None
    except re2.error as error:
        why = error.args[0] if error.args else "it is malformed"
        shown = why.decode(errors="replace") if isinstance(why, bytes) else str(why)
        raise EvalError(f"not a pattern of RE2: {shown}") from None


@lru_cache(maxsize=256)
def _pattern(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options=options)


def lower_ascii(meter: Meter, text: str) -> str:
    """The letters A to Z in lower case; others stay."""
    meter.make(len(text))
    return text.translate(_LOWER)


def upper_ascii(meter: Meter, text: str) -> str:
    """The letters a to z in upper case; others stay."""
    meter.make(len(text))
    return text.translate(_UPPER)


def trim(meter: Meter, text: str) -> str:
    """Without white space at its ends."""
    meter.make(len(text))
    return text.strip()


def split(meter: Meter, text: str, separator: str, limit: int = -1) -> MadeList:
    """The parts between separators, at most `limit` when that is not negative; '' splits into characters."""
    count = text.count(separator) + 1
    meter.make(len(text) + 64 * (count if limit < 0 else min(count, limit)))
    if limit == 0:
        return MadeList()
    if separator:
        return MadeList(text.split(separator, limit - 1 if limit > 0 else -1))
    if limit < 0 or limit > len(text):
        return MadeList(text)
    return MadeList([*text[: limit - 1], text[limit - 1 :]])


def join(meter: Meter, parts: Any, separator: str = "") -> str:
    """The texts of a list, one after the other."""
    meter.spend(len(parts))
    for index, part in enumerate(parts):
        if kind_of(part) != STRING:
            raise EvalError(f"join() takes a list of strings, and its [{index}] is {a(kind_of(part))}")
    meter.make(sum(map(len, parts)) + len(separator) * len(parts))
    return separator.join(parts)


def replace(meter: Meter, text: str, old: str, new: str, limit: int = -1) -> str:
    """With `old` replaced by `new`, the first `limit` times when that is not negative."""
    found = text.count(old)
    times = found if limit < 0 else min(found, limit)
    meter.make(len(text) + times * max(0, len(new) - len(old)))
    return text.replace(old, new, times)


def substring(meter: Meter, text: str, start: int, end: int | None = None) -> str:
    """The characters from `start` up to, not including, `end`."""
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        shown = f"{start}" if end is None else f"{start}, {end}"
        raise EvalError(f"substring({shown}) lies outside a string of {len(text)}", missing=True)
    meter.make(stop - start)
    return text[start:stop]
