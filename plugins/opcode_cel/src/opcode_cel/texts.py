"""Functions over text. What they make is announced to the meter before it is made."""

from string import ascii_lowercase, ascii_uppercase
from typing import Any

from opcode_cel.faults import EvalError
from opcode_cel.kinds import STRING, MadeList, a, kind_of
from opcode_cel.meter import Meter, width

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)
_QUOTED = str.maketrans(
    {**dict(zip("\a\b\f\n\r\t\v", map("\\{}".format, "abfnrtv"), strict=True)), "\\": "\\\\", '"': '\\"'}
)
# Unicode's white space; Python's own list has four separators more.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def contains(meter: Meter, text: str, part: str) -> bool:
    """Whether `part` is anywhere in the text."""
    _search(meter, text, part)
    return part in text


def _search(meter: Meter, text: str, part: str) -> None:
    meter.spend(1 + (len(text) + len(part) >> 10))


def lower_ascii(meter: Meter, text: str) -> str:
    """The letters A to Z in lower case; others stay."""
    meter.make(len(text) * width(text))
    return text.translate(_LOWER)


def upper_ascii(meter: Meter, text: str) -> str:
    """The letters a to z in upper case; others stay."""
    meter.make(len(text) * width(text))
    return text.translate(_UPPER)


def trim(meter: Meter, text: str) -> str:
    """Without white space at its ends."""
    meter.make(len(text) * width(text))
    return text.strip(_SPACE)


def quote(meter: Meter, text: str) -> str:
    """In double quotes, with what would break them escaped."""
    meter.make((2 + 2 * len(text)) * width(text))
    return f'"{text.translate(_QUOTED)}"'


def split(meter: Meter, text: str, separator: str, limit: int = -1) -> MadeList:
    """The parts between separators, at most `limit` when that is not negative; '' splits into characters."""
    _search(meter, text, separator)
    count = text.count(separator) + 1
    meter.make(len(text) * width(text) + 72 * (count if limit < 0 else min(count, limit)))
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
    size = sum(map(len, parts)) + len(separator) * len(parts)
    meter.make(size * width(separator, *parts))
    return separator.join(parts)


def replace(meter: Meter, text: str, old: str, new: str, limit: int = -1) -> str:
    """With `old` replaced by `new`, the first `limit` times when that is not negative."""
    _search(meter, text, old)
    found = text.count(old)
    times = found if limit < 0 else min(found, limit)
    meter.make((len(text) + times * max(0, len(new) - len(old))) * width(text, new))
    return text.replace(old, new, times)


def substring(meter: Meter, text: str, start: int, end: int | None = None) -> str:
    """The characters from `start` up to, not including, `end`."""
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        shown = f"{start}" if end is None else f"{start}, {end}"
        raise EvalError(f"substring({shown}) lies outside a string of {len(text)}", missing=True)
    meter.make((stop - start) * width(text))
    return text[start:stop]


def char_at(_: Meter, text: str, index: int) -> str:
    """The character there; '' just behind the last one."""
    if not 0 <= index <= len(text):
        raise EvalError(f"charAt({index}) lies outside a string of {len(text)}", missing=True)
    return text[index : index + 1]


def index_of(meter: Meter, text: str, part: str, start: int = 0) -> int:
    """Where `part` begins for the first time at or after `start`, or -1."""
    _search(meter, text, part)
    if start < 0:
        raise EvalError(f"indexOf() begins at 0 or later, not at {start}")
    return text.find(part, start)


def last_index_of(meter: Meter, text: str, part: str, last: int | None = None) -> int:
    """Where `part` begins for the last time at or before `last`, or -1."""
    if last is not None and last < 0:
        raise EvalError(f"lastIndexOf() ends at 0 or later, not at {last}")
    if last is not None and last > len(text):
        return -1
    meter.make((len(text) + len(part)) * width(text, part))
    end = len(text) if last is None else min(len(text), last + len(part))
    # Python's search from the right is not linear, its search from the left is.
    found = text[:end][::-1].find(part[::-1])
    return found if found < 0 else end - found - len(part)
