"""Opening a file and replacing one as a whole: what must be done with care."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from opcode_core import ErrorCode
from opcode_fs.faults import refuse

MAX_READ = 10 * 1024 * 1024
"""Bytes that one step may read; larger files are worked on by programs, not by workflows."""


def read_bytes(path: Path) -> bytes:
    """The content of a regular file of at most MAX_READ bytes; never blocks on a pipe or a device."""
    with open_regular(path, os.O_RDONLY) as file:
        content = file.read(MAX_READ + 1)
        if len(content) > MAX_READ:
            size = max(os.fstat(file.fileno()).st_size, len(content))
            raise refuse(path, f"has {size:,} bytes; at most {MAX_READ:,} can be read into a workflow")
    return content


def append_bytes(path: Path, content: bytes) -> int:
    """Add to the end of a regular file, flushed to the disk; gives its size afterwards."""
    with open_regular(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size


def open_regular(path: Path, flags: int) -> IO[bytes]:
    """An open regular file; anything else is refused before it is read or written.

    `path` is free of links, so a link that is there now was put there after the policy looked.
    """
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        require_regular(path, os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, "rb" if flags == os.O_RDONLY else "ab")
    except BaseException:
        os.close(descriptor)
        raise


def require_regular(path: Path, mode: int) -> None:
    """Refuse what is not a regular file."""
    if not stat.S_ISREG(mode):
        raise refuse(path, "is a directory" if stat.S_ISDIR(mode) else "is not a regular file")


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file beside `path` that takes its place at the end: readers see the old content or the new.

    Flushed to the disk first; when anything goes wrong, `path` is as it was and nothing else is left.
    """
    if path.exists():
        require_regular(path, path.stat().st_mode)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def make_parent(path: Path, *, create: bool) -> None:
    """See that `path` can be put somewhere."""
    parent = path.parent
    if parent.is_dir():
        return
    if parent.exists():
        raise refuse(parent, "is not a directory")
    if not create:
        raise refuse(parent, "does not exist; use create_dirs: true", ErrorCode.NOT_FOUND)
    parent.mkdir(parents=True, exist_ok=True)
