"""Opening a file and replacing one as a whole: what must be done with care."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from opcode_fs.faults import refuse
from opcode_fs.places import Place, require_free_of_links, require_regular

MAX_READ = 10 * 1024 * 1024
"""Bytes that one step may read; larger files are worked on by programs, not by workflows."""


def read_bytes(place: Place) -> bytes:
    """The content of a regular file of at most MAX_READ bytes; never blocks on a pipe or a device."""
    with open_regular(place, os.O_RDONLY) as file:
        size = os.fstat(file.fileno()).st_size
        content = b""
        if size <= MAX_READ:
            # None is what some files of the kernel give while they have nothing to say.
            content = file.read(MAX_READ + 1) or b""
        if max(size, len(content)) > MAX_READ:
            size = max(size, len(content))
            raise refuse(place.path, f"has {size:,} bytes; at most {MAX_READ:,} can be read into a workflow")
    return content


def append_bytes(place: Place, content: bytes) -> int:
    """Add to the end of a regular file, flushed to the disk; gives its size afterwards."""
    with open_regular(place, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size


def open_regular(place: Place, flags: int) -> IO[bytes]:
    """An open regular file; anything else is refused, without opening it, for that alone may do something."""
    found = place.look()
    if found is not None:
        require_free_of_links(place.path, found)
        require_regular(place.path, found.st_mode)
    descriptor = place.directory.open(place.name, flags, 0o644)
    try:
        require_regular(place.path, os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, "rb" if flags == os.O_RDONLY else "ab")
    except BaseException:
        os.close(descriptor)
        raise


@contextmanager
def replacing(place: Place) -> Iterator[IO[bytes]]:
    """A new file beside `place` that takes its place at the end: readers see the old content or the new.

    Flushed to the disk first; when anything goes wrong, what was there is as it was and nothing else is left.
    """
    found = place.look()
    if found is not None and not stat.S_ISLNK(found.st_mode):  # a link would be replaced, not followed
        require_regular(place.path, found.st_mode)
    directory, temporary = place.directory, temporary_name(place.name)
    descriptor = directory.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        directory.rename(temporary, directory, place.name)
    except BaseException:
        with suppress(FileNotFoundError):
            directory.unlink(temporary)
        raise


def temporary_name(name: str) -> str:
    """A name that nobody else has, like `name`, and short enough where that is."""
    return f".{name[:40]}.{secrets.token_hex(6)}"
