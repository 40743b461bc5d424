"""Where a SQLite database lies and how it is used, from a URL."""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, unquote

from opcode_core import ErrorCode, OpcodeError, parse_duration

SYNCHRONOUS = {"full": "FULL", "normal": "NORMAL"}
PARAMETERS = ("durability", "busy_timeout")
LONGEST_BUSY_TIMEOUT = 3600.0


@dataclass(frozen=True, slots=True)
class Location:
    """A database file and how to open it.

    Attributes:
        path: the file; its folder is made when it is missing.
        durability: `full` survives the loss of power, `normal` the end of the process.
        busy_timeout: seconds to wait while another process writes.
    """

    path: Path
    durability: str = "full"
    busy_timeout: float = 5.0

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Read `sqlite:///relative.db`, `sqlite:////absolute.db` or `sqlite:///~/home.db`.

        What follows a `?` are parameters, and `%3F` is a question mark in the path.

        Raises:
            OpcodeError: VALIDATION_ERROR that says what is wrong with the URL.
        """
        address, _, query = url.partition("?")
        scheme, separator, path = address.partition(":///")
        path = unquote(path)
        if scheme != "sqlite" or not separator or not path or "\0" in path:
            raise _invalid(url, "a SQLite database is named sqlite:///FILE, or sqlite:////FILE from the root")
        if path == ":memory:":
            raise _invalid(url, "a SQLite database needs a file; the storage memory:// keeps runs in memory")
        given = dict(parse_qsl(query, keep_blank_values=True))
        for name in given:
            if name not in PARAMETERS:
                raise _invalid(url, f"unknown parameter {name!r}{_nearest(name)}")
        durability = given.get("durability", "full")
        if durability not in SYNCHRONOUS:
            raise _invalid(url, f"durability is {durability!r}; it is 'full' or 'normal'")
        try:
            file = Path(path).expanduser().absolute()
        except RuntimeError as error:  # ~somebody who does not exist
            raise _invalid(url, str(error)) from None
        return cls(file, durability, _busy_timeout(url, given))


def _busy_timeout(url: str, given: dict[str, str]) -> float:
    text = given.get("busy_timeout", "5s")
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise _invalid(url, f"busy_timeout: {error}") from None
    if seconds > LONGEST_BUSY_TIMEOUT:
        raise _invalid(url, f"busy_timeout is {text!r}; it is at most {LONGEST_BUSY_TIMEOUT:.0f}s")
    return seconds


def _nearest(name: str) -> str:
    nearest = get_close_matches(name, PARAMETERS, 1)
    return f", did you mean {nearest[0]!r}?" if nearest else f"; there are {' and '.join(PARAMETERS)}"


def _invalid(url: str, what: str) -> OpcodeError:
    return OpcodeError(ErrorCode.VALIDATION_ERROR, f"storage {url!r}: {what}", details={"url": url})
