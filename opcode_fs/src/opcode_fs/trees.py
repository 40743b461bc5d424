"""Copying, moving, removing and measuring what may be a whole directory. Links are never followed."""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from opcode_core import ErrorCode
from opcode_fs.directories import Directory, Trail
from opcode_fs.faults import plain_words, refuse
from opcode_fs.files import open_regular, replacing, temporary_name
from opcode_fs.places import Place, is_directory, require_regular

MAX_ENTRIES = 1_000_000
"""Entries of a directory, at any depth, that one step may work on."""
_CHUNK = 1024 * 1024

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far work on a tree may go.

    Attributes:
        hides: whether what is at that path, which may be read by its name, is denied under another.
        until: seconds since the epoch at which the step is over, so that nothing goes on that nobody waits for.
    """

    hides: Callable[[Path, os.stat_result], bool] = lambda path, found: False  # noqa: ARG005
    until: float | None = None

    def check(self, path: Path, found: os.stat_result) -> None:
        """Refuse what is denied.

        Raises:
            OpcodeError: PATH_DENIED.
        """
        if self.hides(path, found):
            raise refuse(path, "is denied under another of its names", ErrorCode.PATH_DENIED)

    def check_time(self) -> None:
        """Stop when the step is over.

        Raises:
            TimeoutError: then.
        """
        if self.until is not None and time.time() > self.until:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))


def total_size(place: Place, bounds: Bounds) -> int:
    """Bytes of a file, a link, or all regular files below a directory; special files are refused."""
    found = place.stat()
    if stat.S_ISLNK(found.st_mode):
        return found.st_size
    if not is_directory(found):
        return _size(place.path, found)
    with place.enter() as root:
        return sum(
            _size(here.path / name, inner)
            for _, here, entries in _walk(root, bounds)
            for name, inner in entries
            if not (is_directory(inner) or stat.S_ISLNK(inner.st_mode))
        )


def copy(source: Place, found: os.stat_result, target: Place, bounds: Bounds) -> None:
    """Copy what was found at the source; a file or link that is there is replaced, a directory that is there is filled up.

    So copying again, after a copy that was cut short, ends with the same.
    """
    if not is_directory(found):
        _copy_entry(source, found, target, bounds)
        return
    _make_directory(target, bounds)
    with source.enter() as old, target.enter() as new, Trail(new) as trail:
        done: list[tuple[Names, os.stat_result]] = [((), found)]
        for names, here, entries in _walk(old, bounds):
            there = trail.to(names)
            for name, inner in entries:
                if is_directory(inner):
                    _make_directory(Place(there, name), bounds)
                    done.append(((*names, name), inner))
                else:
                    _copy_entry(Place(here, name), inner, Place(there, name), bounds)
        for names, looks in reversed(done):
            _look_like(new, names, looks)


def move(source: Place, target: Place, bounds: Bounds) -> None:
    """Rename, or copy and remove where the target lies on another file system."""
    try:
        source.directory.rename(source.name, target.directory, target.name)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy(source, source.stat(), target, bounds)
        remove(source, bounds, recursive=True)


def remove(place: Place, bounds: Bounds, *, recursive: bool) -> None:
    """Remove a file, a link or a directory, which is empty unless `recursive`; special files are refused."""
    found = place.stat()
    if not is_directory(found):
        if not stat.S_ISLNK(found.st_mode):
            require_regular(place.path, found.st_mode)
        place.directory.unlink(place.name)
        return
    if recursive:
        with place.enter() as root:
            _empty(root, bounds)
    place.directory.remove_directory(place.name)


def _empty(root: Directory, bounds: Bounds) -> None:
    directories: list[Names] = []
    for names, here, entries in _walk(root, bounds, all_of_it=True):
        for name, found in entries:
            if is_directory(found):
                directories.append((*names, name))
            else:
                with suppress(FileNotFoundError):
                    here.unlink(name)
    for *above, name in reversed(directories):
        with root.enter(*above) as here:
            here.remove_directory(name)


def _walk(
    root: Directory, bounds: Bounds, *, all_of_it: bool = False
) -> Iterator[tuple[Names, Directory, list[tuple[str, os.stat_result]]]]:
    """Every directory from `root` downwards, each before those in it: its names below `root`, itself, its entries.

    Only one is open at a time, however deep they lie.
    """
    seen = 0
    pending: list[Names] = [()]
    with Trail(root) as trail:
        while pending:
            names = pending.pop()
            here, entries = trail.to(names), []
            for name in here.names():
                seen += 1
                if seen > MAX_ENTRIES and not all_of_it:
                    raise refuse(root.path, f"holds more than {MAX_ENTRIES:,} entries")
                bounds.check_time()
                found = here.look(name)
                if found is None:
                    continue
                bounds.check(here.path / name, found)
                entries.append((name, found))
                if is_directory(found):
                    pending.append((*names, name))
            yield names, here, entries


def _size(path: Path, found: os.stat_result) -> int:
    require_regular(path, found.st_mode)
    return found.st_size


def _copy_entry(source: Place, found: os.stat_result, target: Place, bounds: Bounds) -> None:
    if is_directory(target.look()):
        raise refuse(target.path, "is a directory, where a file is to be put", ErrorCode.CONFLICT)
    if stat.S_ISLNK(found.st_mode):
        _copy_link(source, target)
    else:
        _copy_file(source, target, bounds)


def _copy_file(source: Place, target: Place, bounds: Bounds) -> None:
    with plain_words(source.path):
        original = open_regular(source, os.O_RDONLY)
    with original, replacing(target) as new:
        while chunk := original.read(_CHUNK):
            bounds.check_time()
            new.write(chunk)
        new.flush()
        found = os.fstat(original.fileno())
        os.fchmod(new.fileno(), found.st_mode & 0o777)
        os.utime(new.fileno(), ns=(found.st_atime_ns, found.st_mtime_ns))


def _copy_link(source: Place, target: Place) -> None:
    temporary = temporary_name(target.name)
    target.directory.link(source.directory.read_link(source.name), temporary)
    try:
        target.directory.rename(temporary, target.directory, target.name)
    except BaseException:
        target.directory.unlink(temporary)
        raise


def _make_directory(place: Place, bounds: Bounds) -> None:
    """A directory that is there is kept; a link to one is not a directory."""
    place.directory.make(place.name)
    found = place.stat()
    bounds.check(place.path, found)
    if not is_directory(found):
        raise refuse(place.path, "is there already and is not a directory", ErrorCode.CONFLICT)


def _look_like(root: Directory, names: Names, looks: os.stat_result) -> None:
    """Permissions and times of a directory, which change while it is filled."""
    with root.enter(*names) as directory:
        descriptor = directory.reading()
        try:
            os.fchmod(descriptor, stat.S_IMODE(looks.st_mode))
            os.utime(descriptor, ns=(looks.st_atime_ns, looks.st_mtime_ns))
        finally:
            os.close(descriptor)
