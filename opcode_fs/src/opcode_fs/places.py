"""A place: a name in an open directory. What the policy allowed, and nothing else."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from opcode_core import ErrorCode
from opcode_fs.directories import Directory
from opcode_fs.faults import refuse


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file, a link or a directory is or will be."""

    directory: Directory
    name: str

    @property
    def path(self) -> Path:
        """For messages; never to be opened."""
        return self.directory.path / self.name

    def look(self) -> os.stat_result | None:
        """What is there; a link is a link. None for nothing."""
        return self.directory.look(self.name)

    def stat(self) -> os.stat_result:
        """As `look`, but nothing is an error."""
        return self.directory.stat(self.name)

    def enter(self) -> Directory:
        """The directory that is there."""
        return self.directory.enter(self.name)


@contextmanager
def place(path: Path) -> Iterator[Place]:
    """The place of a path that is absolute and free of links.

    Raises:
        OSError: ENOENT when there is no such directory, ELOOP when a link is on the way by now.
    """
    with Directory.at(path.parent) as directory:
        yield Place(directory, path.name or ".")


@contextmanager
def place_to_fill(path: Path, *, create_dirs: bool) -> Iterator[Place]:
    """As `place`, and where something can be put.

    Raises:
        OpcodeError: NOT_FOUND when there is no such directory and none is to be made.
    """
    try:
        directory = Directory.at(path.parent, create=create_dirs)
    except FileNotFoundError:
        raise refuse(path.parent, "does not exist; use create_dirs: true", ErrorCode.NOT_FOUND) from None
    except NotADirectoryError as error:
        if error.filename == str(path.parent):
            raise refuse(path.parent, "is not a directory") from None
        raise
    with directory:
        yield Place(directory, path.name or ".")


def is_directory(found: os.stat_result | None) -> bool:
    """Whether that is one; a link to one is none."""
    return found is not None and stat.S_ISDIR(found.st_mode)


def require_free_of_links(path: Path, found: os.stat_result) -> None:
    """Refuse a link where the policy saw none: it leads somewhere that nobody checked."""
    if stat.S_ISLNK(found.st_mode):
        raise refuse(path, "became a link while it was looked at", ErrorCode.PATH_DENIED)


def require_regular(path: Path, mode: int) -> None:
    """Refuse what is not a regular file."""
    if not stat.S_ISREG(mode):
        raise refuse(path, "is a directory" if stat.S_ISDIR(mode) else "is not a regular file")
