"""Runs beside one server: starts it, and ends it and all that it started when OPCODE ends, however that ends.

A program of its own, without any package: `python -I -S guard.py LIFELINE COMMAND [ARG ...]`. LIFELINE is the read end of
a pipe whose other end only OPCODE holds. A byte in it asks for a gentle end; its end means that OPCODE is gone, or
wants this to be over.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

SUBREAPER, DEATH_SIGNAL = 36, 1
"""Of prctl: orphans among the descendants come to this process; a signal to whoever outlives its parent."""
POLL = 0.2


def main() -> int:
    """Start the command and wait; its exit code."""
    lifeline, command = int(sys.argv[1]), sys.argv[2:]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    prctl = _prctl()
    if prctl is not None:
        prctl(SUBREAPER, 1, 0, 0, 0)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _nothing)
    try:
        child = subprocess.Popen(command, preexec_fn=lambda: _in_child(prctl), start_new_session=True)  # noqa: PLW1509
    except OSError as error:
        print(f"{command[0]!r} cannot be started: {error.strerror}", file=sys.stderr, flush=True)
        return 127
    _let_go()
    code = _wait(child, lifeline, wake)
    _kill(child.pid)
    return code


def _in_child(prctl: "ctypes._NamedFuncPointer | None") -> None:
    if prctl is not None:
        prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _let_go() -> None:
    """The pipes belong to the server: when it closes one, that is its end."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)


def _wait(child: "subprocess.Popen[bytes]", lifeline: int, wake: int) -> int:
    """Until the server ends or the lifeline does."""
    while child.poll() is None:
        ready, _, _ = select.select([lifeline, wake], [], [], POLL)
        if wake in ready:
            os.read(wake, 512)
        if lifeline in ready:
            if not os.read(lifeline, 1):
                return 137
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGTERM)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _kill(group: int) -> None:
    """The server's group and every descendant, until there is none; those that fork meanwhile too."""
    until = time.monotonic() + 5.0
    while time.monotonic() < until:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
        left = _descendants()
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                """One more is gone."""
        if not _descendants():
            return
        time.sleep(0.005)


def _descendants() -> list[int]:
    """Living ones, from /proc; none where there is no /proc."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            fields = stat.read_bytes().rpartition(b")")[2].split()
            if fields[0] != b"Z":
                children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = list(children.get(os.getpid(), ()))
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def _prctl() -> "ctypes._NamedFuncPointer | None":
    try:
        return ctypes.CDLL(None).prctl
    except (OSError, AttributeError):  # not Linux: the lifeline and the group are what there is
        return None


def _nothing(_: int, __: FrameType | None) -> None:
    """Its arrival is enough."""


if __name__ == "__main__":
    sys.exit(main())
