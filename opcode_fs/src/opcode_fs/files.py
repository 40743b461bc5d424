"""Opening, writing whole, copying: the few things that must be done with care."""

import os
import shutil
import stat
import tempfile
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
        size = path.stat().st_size
        raise refuse(path, f"has {size:,} bytes; at most {MAX_READ:,} can be read into a workflow")
    return content


def open_regular(path: Path, flags: int) -> IO[bytes]:
    """An open regular file; anything else is refused before it is read or written."""
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        what = "is a directory" if stat.S_ISDIR(mode) else "is not a regular file"
        raise refuse(path, what)
    return os.fdopen(descriptor, "rb" if flags == os.O_RDONLY else "ab")


def write_whole(path: Path, content: bytes, mode: int) -> None:
    """Write beside the target, flush to the disk, then take its place: readers see the old or the new."""
    if path.exists() and not path.is_file():
        raise refuse(path, "is a directory" if path.is_dir() else "is not a regular file")
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def make_parent(path: Path, *, create: bool) -> None:
    """See that `path` can be put somewhere."""
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
    elif not path.parent.is_dir():
        raise refuse(path.parent, "does not exist; use create_dirs: true", ErrorCode.NOT_FOUND)


def copy_tree(source: Path, target: Path) -> None:
    """Copy a file whole, or a directory; links are copied as links, special files are refused."""
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, copy_function=_copy_regular)
        return
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name[:40]}.", dir=target.parent)
    os.close(descriptor)
    try:
        _copy_regular(str(source), temporary)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def total_size(path: Path) -> int:
    """Bytes of a file, or of all files below a directory."""
    if not path.is_dir():
        return path.lstat().st_size
    return sum(item.lstat().st_size for item in path.rglob("*") if item.is_file() and not item.is_symlink())


def _copy_regular(source: str, target: str) -> str:
    if not stat.S_ISREG(os.stat(source).st_mode):  # noqa: PTH116
        raise refuse(Path(source), "is not a regular file")
    return shutil.copy2(source, target)
