"""Copying, moving, removing and measuring what may be a whole directory. Links are never followed."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from opcode_core import ErrorCode
from opcode_fs.faults import plain_words, refuse
from opcode_fs.files import open_regular, replacing, require_regular

MAX_ENTRIES = 1_000_000
"""Entries of a directory, at any depth, that one step may work on."""


def total_size(path: Path) -> int:
    """Bytes of a file, a link, or all regular files below a directory; special files are refused."""
    if path.is_symlink():
        return path.lstat().st_size
    if not path.is_dir():
        require_regular(path, path.stat().st_mode)
        return path.stat().st_size
    size = 0
    for entry in _walk(path):
        if entry.is_symlink() or entry.is_dir(follow_symlinks=False):
            continue
        found = entry.stat(follow_symlinks=False)
        require_regular(Path(entry.path), found.st_mode)
        size += found.st_size
    return size


def copy(source: Path, target: Path) -> None:
    """Copy; a file or link that is there is replaced, a directory that is there is filled up.

    So copying again, after a copy that was cut short, ends with the same.
    """
    if source.is_symlink() or not source.is_dir():
        _copy_entry(source, target)
        return
    _make_directory(target)
    directories = [(source, target)]
    for entry in _walk(source):
        inner = Path(entry.path)
        place = target / inner.relative_to(source)
        if entry.is_dir(follow_symlinks=False):
            _make_directory(place)
            directories.append((inner, place))
        else:
            _copy_entry(inner, place)
    for inner, place in reversed(directories):
        shutil.copystat(inner, place)


def move(source: Path, target: Path) -> None:
    """Rename, or copy and remove where the target lies on another file system."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy(source, target)
        remove(source, recursive=True)


def remove(path: Path, *, recursive: bool) -> None:
    """Remove a file, a link or a directory, which is empty unless `recursive`; special files are refused."""
    if path.is_symlink():
        path.unlink()
    elif not path.is_dir():
        require_regular(path, path.stat().st_mode)
        path.unlink()
    elif recursive:
        shutil.rmtree(path)
    else:
        path.rmdir()


def _walk(root: Path) -> Iterator["os.DirEntry[str]"]:
    """Everything below a directory, each directory before what is in it."""
    seen = 0
    pending = [root]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                seen += 1
                if seen > MAX_ENTRIES:
                    raise refuse(root, f"holds more than {MAX_ENTRIES:,} entries")
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))


def _copy_entry(source: Path, target: Path) -> None:
    if target.is_dir() and not target.is_symlink():
        raise refuse(target, "is a directory, where a file is to be put", ErrorCode.CONFLICT)
    if source.is_symlink():
        _copy_link(source, target)
        return
    with plain_words(source):
        original = open_regular(source, os.O_RDONLY)
    with original, replacing(target) as new:
        shutil.copyfileobj(original, new)
        new.flush()
        found = os.fstat(original.fileno())
        os.fchmod(new.fileno(), found.st_mode & 0o777)
        os.utime(new.fileno(), ns=(found.st_atime_ns, found.st_mtime_ns))


def _copy_link(source: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".link.", dir=target.parent) as room:
        new = Path(room, "link")
        new.symlink_to(source.readlink())
        new.replace(target)


def _make_directory(path: Path) -> None:
    """A directory that is there is kept; a link to one is not a directory."""
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise refuse(path, "is there already and is not a directory", ErrorCode.CONFLICT)
    path.mkdir(exist_ok=True)
