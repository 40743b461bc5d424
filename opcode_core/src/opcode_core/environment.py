"""A variable that nobody but this process is to know, out of its environment."""

import os
from contextlib import suppress
from pathlib import Path

_PROCESS = Path("/proc/self")
_ENV_START = 47
"""Where in `stat`, behind the program's name, the address of the environment stands (proc_pid_stat(5), field 50)."""


def take(variable: str) -> str | None:
    """The value of a variable, None when it is not set.

    Afterwards it is not in the environment: programs that this process starts do not inherit it, and where the system
    shows what a process was started with (/proc/PID/environ, to an action that reads files too) there are zeros.
    """
    value = os.environ.get(variable)
    if value is not None:
        with suppress(
            OSError, ValueError, IndexError
        ):  # no /proc, or one that is shut: then nobody reads it there
            _blank(os.fsencode(variable) + b"=")
        del os.environ[variable]
    return value


def _blank(beginning: bytes) -> None:
    """Write zeros over the values of what begins so, where this process's first environment lies in its memory."""
    at = int((_PROCESS / "stat").read_bytes().rpartition(b")")[2].split()[_ENV_START])
    with (_PROCESS / "mem").open("r+b", buffering=0) as memory:
        for entry in (_PROCESS / "environ").read_bytes().split(b"\0"):
            if entry.startswith(beginning):
                memory.seek(at + len(beginning))
                memory.write(bytes(len(entry) - len(beginning)))
            at += len(entry) + 1
