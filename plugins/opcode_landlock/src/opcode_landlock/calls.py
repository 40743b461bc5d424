"""System calls that no command needs and that lead around the other layers, refused by a seccomp filter.

The filter is put together here: libseccomp is a package of the system, and its Python binding does not
work without it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_PR_SET_SECCOMP, _FILTER = 22, 2
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_X32 = 0x40000000
_NEW_NAMESPACES = 0x7E020080

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_REFUSED = {  # name: number on x86_64, on aarch64
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),  # opens sockets and files past this filter
    "ioperm": (173, None),
    "iopl": (172, None),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pivot_root": (155, 41),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
_CLONE, _CLONE3, _SOCKET = (56, 220), 435, (41, 198)
_LIBC = ctypes.CDLL(None, use_errno=True)


def known_architecture() -> bool:
    """Whether the numbers of this machine's system calls are known here."""
    return os.uname().machine in _ARCHITECTURES


def refuse(*, network: bool) -> None:
    """Bind this process and all that it starts; it must have given up gaining rights.

    Raises:
        OSError: the kernel does not do it.
    """
    program = _program(network=network)
    filters = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HP", len(program) // 8, ctypes.addressof(filters))
    if _LIBC.prctl(_PR_SET_SECCOMP, _FILTER, header, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")


def _program(*, network: bool) -> bytes:
    machine = os.uname().machine
    column = list(_ARCHITECTURES).index(machine)
    parts = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, _ARCHITECTURES[machine], skip_if=1),
        _step(_RETURN, _KILL),  # programs for another architecture count their calls differently
        _step(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        parts += [_step(_AT_LEAST, _X32, skip_unless=1), _refusal(errno.ENOSYS)]
    for numbers in _REFUSED.values():
        if numbers[column] is not None:
            parts += _refused(numbers[column] or 0, errno.EPERM)
    parts += _refused(_CLONE3, errno.ENOSYS)  # its flags cannot be seen; the C library falls back to clone
    if not network:
        parts += _refused(_SOCKET[column], errno.EACCES)
    parts += [
        _step(_EQUAL, _CLONE[column], skip_unless=3),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_ANY_BIT, _NEW_NAMESPACES, skip_unless=1),
        _refusal(errno.EPERM),
        _step(_RETURN, _ALLOW),
    ]
    return b"".join(parts)


def _refused(number: int, error: int) -> list[bytes]:
    return [_step(_EQUAL, number, skip_unless=1), _refusal(error)]


def _refusal(error: int) -> bytes:
    return _step(_RETURN, _ERRNO | error)


def _step(code: int, value: int, *, skip_if: int = 0, skip_unless: int = 0) -> bytes:
    return struct.pack("=HBBI", code, skip_if, skip_unless, value)
