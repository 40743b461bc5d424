"""Landlock's three system calls, and what each of its versions can hold.

The calls are made with ctypes: the packages of that name are a development release that knows neither
scopes nor the network, and this runs in a launcher without site packages, where an import counts. The
numbers are the same on every architecture.
"""

from __future__ import annotations

import ctypes
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_CREATE, _ADD, _RESTRICT, _OPENAT2 = 444, 445, 446, 437
_VERSION = 1
_PATH_BENEATH = 1
_NO_SYMLINKS = 4
_LIBC = ctypes.CDLL(None, use_errno=True)

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_FIRST = (1 << 13) - 1
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
BIND_TCP, CONNECT_TCP = 1 << 0, 1 << 1
ABSTRACT_UNIX, SIGNALS = 1 << 0, 1 << 1
READ = EXECUTE | READ_FILE | READ_DIR
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV


def version() -> int:
    """The ABI of this kernel; 0 when it has none."""
    return max(0, _syscall(_CREATE, None, 0, _VERSION))


def rights(abi: int) -> int:
    """All rights to files that this version can withhold."""
    return (
        _FIRST | (REFER if abi >= 2 else 0) | (TRUNCATE if abi >= 3 else 0) | (IOCTL_DEV if abi >= 5 else 0)
    )


def restrict(abi: int, rules: Iterable[tuple[str, int]], *, network: bool) -> None:
    """Bind this process and all that it starts to `rules`: paths, each with rights to what lies below.

    Processes outside can be neither traced nor read from /proc, and from version 6 on not be signalled.

    Raises:
        OSError: the kernel does not do it.
    """
    handled = rights(abi)
    attributes = struct.pack(
        "=QQQ",
        handled,
        0 if network or abi < 4 else BIND_TCP | CONNECT_TCP,
        SIGNALS | (0 if network else ABSTRACT_UNIX) if abi >= 6 else 0,
    )
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    ruleset = _check("landlock_create_ruleset", _syscall(_CREATE, attributes[:size], size, 0))
    for path, allowed in rules:
        _allow(ruleset, path, allowed & handled)
    _check("landlock_restrict_self", _syscall(_RESTRICT, ruleset, 0))
    os.close(ruleset)


def _allow(ruleset: int, path: str, allowed: int) -> None:
    how = struct.pack("=QQQ", os.O_PATH | os.O_CLOEXEC, 0, _NO_SYMLINKS)
    file = _syscall(_OPENAT2, -100, os.fsencode(path), how, len(how))
    if file < 0:  # it is gone since the rules were made, or has become a link
        return
    try:
        if not _is_directory(file):
            allowed &= OF_FILES
        rule = struct.pack("=Qi", allowed, file)
        if allowed:
            _check(f"landlock_add_rule for {path}", _syscall(_ADD, ruleset, _PATH_BENEATH, rule, 0))
    finally:
        os.close(file)


def _is_directory(file: int) -> bool:
    return os.fstat(file).st_mode & 0o170000 == 0o040000


def _syscall(number: int, *arguments: bytes | int | None) -> int:
    typed = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return int(_LIBC.syscall(ctypes.c_long(number), *typed))


def _check(what: str, result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return result
