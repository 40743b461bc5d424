"""Finding what a pattern means, without following links and without endless walks."""

import errno
import fnmatch
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from opcode_core import ErrorCode, OpcodeError
from opcode_fs.directories import Directory
from opcode_fs.faults import refuse

MAX_FOUND = 10_000
MAX_LOOKED_AT = 1_000_000
_PASSED_OVER = {errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.ELOOP}

States = frozenset[int]


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern such as `*.json` or `logs/**/*.txt`: one expression a segment, None for `**`.

    A path is read segment by segment; the state is where in the pattern the next one may stand.
    """

    segments: tuple[re.Pattern[str] | None, ...]

    @classmethod
    def parse(cls, pattern: str, *, recursive: bool) -> "Glob":
        """A pattern relative to a directory; with `recursive`, it may begin at any depth.

        Raises:
            OpcodeError: VALIDATION_ERROR when it leads out of the directory.
        """
        parts = PurePosixPath(pattern).parts
        if pattern.startswith("/") or ".." in parts:
            raise OpcodeError(
                ErrorCode.VALIDATION_ERROR,
                f"'pattern' {pattern!r} leads out of the directory; it is relative to 'path'",
            )
        wild = ("**", *parts) if recursive else parts
        return cls(tuple(None if part == "**" else re.compile(fnmatch.translate(part)) for part in wild))

    def start(self) -> States:
        """Where a path may begin."""
        return self._closed({0})

    def after(self, states: States, name: str) -> States:
        """Where the path may go on after a segment; empty when nothing below it can fit."""
        following: set[int] = set()
        for state in states:
            if state == len(self.segments):
                continue
            segment = self.segments[state]
            if segment is None:
                following.add(state)
            elif segment.match(name):
                following.add(state + 1)
        return self._closed(following)

    def fits(self, states: States) -> bool:
        """Whether the path may end here."""
        return len(self.segments) in states

    def goes_on(self, states: States) -> bool:
        """Whether a longer path may fit."""
        return any(state < len(self.segments) for state in states)

    def _closed(self, states: set[int]) -> States:
        """`**` also stands for nothing."""
        reached = set(states)
        for state in range(len(self.segments)):
            if state in reached and self.segments[state] is None:
                reached.add(state + 1)
        return frozenset(reached)


@dataclass(frozen=True, slots=True)
class Found:
    """An entry that fits, and what it is; a link is a link."""

    path: Path
    stat: os.stat_result


def find(root: Directory, glob: Glob, may_read: Callable[[Path, os.stat_result], bool]) -> list[Found]:
    """Entries below `root` that fit and may be read, sorted by path.

    Directories below it that cannot be opened are passed over, and so is what is gone by now.

    Raises:
        OpcodeError: VALIDATION_ERROR when there are too many.
    """
    found: list[Found] = []
    looked_at = 0
    pending: list[tuple[tuple[str, ...], States]] = [((), glob.start())]
    while pending:
        names, states = pending.pop()
        for here, name in _scan(root, names):
            looked_at += 1
            if looked_at > MAX_LOOKED_AT:
                raise refuse(root.path, f"holds more than {MAX_LOOKED_AT:,} entries; list a directory in it")
            after = glob.after(states, name)
            entry = here.look(name) if after else None
            if entry is None or not may_read(here.path / name, entry):
                continue
            if glob.fits(after):
                found.append(Found(here.path / name, entry))
                if len(found) > MAX_FOUND:
                    raise refuse(
                        root.path, f"has more than {MAX_FOUND:,} such entries; use a narrower 'pattern'"
                    )
            if glob.goes_on(after) and stat.S_ISDIR(entry.st_mode):
                pending.append(((*names, name), after))
    return sorted(found, key=lambda entry: entry.path)


def _scan(root: Directory, names: tuple[str, ...]) -> Iterator[tuple[Directory, str]]:
    try:
        with root.enter(*names) as here:
            for name in here.names():
                yield here, name
    except OSError as error:
        if not names or error.errno not in _PASSED_OVER:
            raise
