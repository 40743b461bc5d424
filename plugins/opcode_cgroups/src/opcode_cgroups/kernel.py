"""The system calls that namespaces and mounts take, by ctypes: Python has names for few of them."""

from __future__ import annotations

import ctypes
import os
import signal
import struct

NEW_MOUNTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
"""Flags of `fork`."""

NO_SUID, NO_DEVICES, NO_EXEC = 2, 4, 8
"""Flags of `mount`."""
READ_ONLY, NEVER_SUID, NEVER_DEVICES = 1, 2, 4
"""Flags of `change`."""
_PRIVATE, _RECURSIVE_BIND, _DETACH = 1 << 18, 0x4000, 2

# The numbers are the same on every architecture that is not much older than they are.
_OPEN_TREE, _MOVE_MOUNT, _CLONE3, _OPENAT2, _MOUNT_SETATTR = 428, 429, 435, 437, 442
_INTO_CGROUP = 0x200000000
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41}
_HERE, _EMPTY_PATH, _RECURSIVE, _CLONE, _CLOSE_ON_EXEC = -100, 0x1000, 0x8000, 1, 0x80000
_NO_SYMLINKS, _FROM_EMPTY_PATH = 4, 4
_LIBC = ctypes.CDLL(None, use_errno=True)


def fork(flags: int, group: int | None) -> int:
    """As `os.fork`, but the child begins in new namespaces, and in the cgroup that is open as `group`.

    It is for processes with one thread. Begun there, the child need not be moved there, which is slow.
    """
    into = 0 if group is None else _INTO_CGROUP
    arguments = struct.pack("=11Q", flags | into, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, group or 0)
    pid = int(ctypes.PyDLL(None, use_errno=True).syscall(_CLONE3, arguments, len(arguments)))
    return _check("making namespaces", pid)


def keep_mounts_to_ourselves() -> None:
    """Nothing that is mounted from now on shows outside."""
    _check("making mounts private", _LIBC.mount(None, b"/", None, _PRIVATE | _RECURSIVE_BIND, None))


def mount(kind: str, target: str, flags: int, options: str = "") -> None:
    """Mount a new file system."""
    result = _LIBC.mount(kind.encode(), os.fsencode(target), kind.encode(), flags, options.encode())
    _check(f"mounting {kind} on {target}", result)


def take(path: str) -> int:
    """A copy of the mounts at and below a path that holds no link, not mounted anywhere yet."""
    how = struct.pack("=QQQ", os.O_PATH | os.O_CLOEXEC, 0, _NO_SYMLINKS)
    file = _check(f"opening {path}", _syscall(_OPENAT2, _HERE, os.fsencode(path), how, len(how)))
    flags = _CLONE | _CLOSE_ON_EXEC | _EMPTY_PATH | _RECURSIVE
    try:
        return _check(f"copying the mount of {path}", _syscall(_OPEN_TREE, file, b"", flags))
    finally:
        os.close(file)


def put(tree: int, target: str) -> None:
    """Mount what `take` gave."""
    result = _syscall(_MOVE_MOUNT, tree, b"", _HERE, os.fsencode(target), _FROM_EMPTY_PATH)
    _check(f"mounting on {target}", result)
    os.close(tree)


def change(tree: int, flags: int, *, below: bool = True) -> None:
    """Add flags to a tree of mounts, or only to its topmost."""
    if flags:
        _change(tree, b"", flags, _EMPTY_PATH | (_RECURSIVE if below else 0))


def change_at(path: str, flags: int, *, below: bool = True) -> None:
    """Add flags to what is mounted at a path, and below."""
    if flags:
        _change(_HERE, os.fsencode(path), flags, _RECURSIVE if below else 0)


def make_root(folder: str) -> None:
    """Let `folder`, a mount, be the root, and the old one be gone."""
    os.chdir(folder)
    _check("pivot_root", _syscall(_PIVOT_ROOT[os.uname().machine], b".", b"."))
    _check("letting go of the old root", _LIBC.umount2(b".", _DETACH))
    os.chdir("/")


def _change(at: int, path: bytes, flags: int, how: int) -> None:
    attributes = struct.pack("=QQQQ", flags, 0, 0, 0)
    result = _syscall(_MOUNT_SETATTR, at, path, how, attributes, len(attributes))
    _check(f"changing the mount {os.fsdecode(path)}", result)


def _syscall(number: int, *arguments: bytes | int) -> int:
    typed = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return int(_LIBC.syscall(ctypes.c_long(number), *typed))


def _check(what: str, result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return result
