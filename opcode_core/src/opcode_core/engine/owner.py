"""Who this process is among those that share a storage, and whether another one still lives."""

import os
from pathlib import Path
from secrets import token_hex

LEASE = 15.0
"""Seconds for which a process counts as living after it has said so."""

_PROC = Path("/proc")


def this_process() -> str:
    """A new name for this process that no other has, also not after a restart of the machine.

    It begins with what tells others on the same machine whether the process lives:
    `machine/pid/start`, where the machine is its boot and its process namespace.
    """
    pid = os.getpid()
    return f"{_machine()}/{pid}/{_started(pid)}/{token_hex(4)}"


def is_dead(owner: str) -> bool:
    """Whether a process of this machine is surely gone; of others only their lease tells."""
    parts = owner.split("/")
    if len(parts) != 4 or parts[0] == "" or parts[0] != _machine():
        return False
    return _started(int(parts[1])) != parts[2]


def _machine() -> str:
    """Empty where the system does not tell."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process began, in the kernel's ticks; empty when there is none, or it is dead already."""
    try:
        state, *rest = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else rest[18]
