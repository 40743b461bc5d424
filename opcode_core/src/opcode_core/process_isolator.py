"""The isolator that is always there: a process group, rlimits and a timeout."""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from opcode_core.command_pipes import GRACE, CommandPipes
from opcode_core.contracts.isolator import Command, Finished, Limits, Probe
from opcode_core.errors import OpcodeError
from opcode_core.starting import NO_CORE, cannot_keep, cannot_start, cpu_seconds

_HAS_PRLIMIT = hasattr(resource, "prlimit")
_KEEPS = frozenset({"max_memory_bytes"} if _HAS_PRLIMIT else ())


class ProcessIsolator:
    """Runs a command in a session of its own, with rlimits, and kills the whole tree.

    The command ends when its first process ends; what that leaves running in its process group
    is killed then. A daemon that left the group and whose parent is gone is not found: that
    takes an isolator with cgroups.

    `max_memory_bytes` is RLIMIT_AS of each process. It is set right after the start, because a
    `preexec_fn` costs milliseconds and a launching shell hides why a command cannot start; for
    some microseconds a process is without it. One that took more by then is killed; only a
    child forked in that time is free of it.
    """

    name = "process"

    def probe(self) -> Probe:
        """Works everywhere, with the least strength."""
        return Probe(
            works=True,
            strength=1,
            layers={
                "process group": "works",
                "timeout": "works",
                "memory": "works, for each process" if _HAS_PRLIMIT else "missing: needs Linux's prlimit",
                "cpu, pids, network, paths": "missing: needs a stronger isolator plugin",
            },
            keeps=_KEEPS,
        )

    async def run(self, command: Command, limits: Limits) -> Finished:
        """Run to the end or to the timeout; being cancelled kills the whole tree.

        Raises:
            OpcodeError: EXECUTION_ERROR when it cannot start, ISOLATION_ERROR for a limit that
                rlimits cannot keep.
        """
        lacking = limits.asked() - _KEEPS
        if lacking:
            raise _cannot_keep(lacking, "it only knows process groups, rlimits and timeouts")
        started = time.monotonic()
        process = _start(command)
        pipes = _pipes_of(process, command.max_output_bytes)
        exited = False
        try:
            _set_rlimits(process.pid, limits)
            await pipes.attach(command.stdin)
            exited = await _exits(process, limits.timeout)
            if exited:
                await pipes.drained()
        finally:
            await _clean_up(process, pipes, exited=exited)
        return Finished(
            exit_code=-signal.SIGKILL if process.returncode is None else process.returncode,
            stdout=bytes(pipes.stdout.data),
            stderr=bytes(pipes.stderr.data),
            duration=time.monotonic() - started,
            killed=not exited,
            truncated=pipes.truncated,
        )


def _cannot_keep(names: Iterable[str], why: str) -> OpcodeError:
    return cannot_keep(ProcessIsolator.name, names, why)


# Starting.


def _start(command: Command) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            list(command.argv),
            stdin=subprocess.PIPE if command.stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=command.cwd,
            env=dict(command.env),
            start_new_session=True,
            bufsize=0,
        )
    except (OSError, ValueError, IndexError) as error:
        raise cannot_start(command, error) from None


def _pipes_of(process: "subprocess.Popen[bytes]", max_output_bytes: int) -> CommandPipes:
    assert process.stdout is not None
    assert process.stderr is not None
    return CommandPipes(process.stdin, process.stdout, process.stderr, max_output_bytes)


# Limits.


def _set_rlimits(pid: int, limits: Limits) -> None:
    if not _HAS_PRLIMIT:
        return
    with contextlib.suppress(PermissionError):  # a set-uid program keeps its own
        _lower(pid, resource.RLIMIT_CORE, NO_CORE)
        if limits.timeout is not None:
            _lower(pid, resource.RLIMIT_CPU, cpu_seconds(limits.timeout))
    if limits.max_memory_bytes is not None:
        try:
            _lower(pid, resource.RLIMIT_AS, limits.max_memory_bytes)
        except PermissionError:
            raise _cannot_keep(["max_memory_bytes"], "the command runs as another user") from None
        if _size(pid) > limits.max_memory_bytes:  # it was quicker
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def _size(pid: int) -> int:
    """Bytes of address space; 0 when it has ended."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text("ascii").split()[0]
    except (OSError, IndexError):
        return 0
    return int(pages) * resource.getpagesize()


def _lower(pid: int, which: int, value: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        _, most = resource.prlimit(pid, which)
        bound = min(value, 2**62) if most == resource.RLIM_INFINITY else min(value, most)
        resource.prlimit(pid, which, (bound, bound))


# The end.


async def _clean_up(process: "subprocess.Popen[bytes]", pipes: CommandPipes, *, exited: bool) -> None:
    # The kill comes first and does not wait, so nothing that happens later can prevent it; and
    # it comes before the reaping, after which the group's id could be another's.
    if exited:
        _kill_group(process.pid)
    else:
        _kill_tree(process.pid)
    try:
        await pipes.drained()
        if not exited:
            await _exits(process, GRACE)
    finally:
        pipes.close()
        process.poll()


async def _exits(process: "subprocess.Popen[bytes]", within: float | None) -> bool:
    """Whether it ends within that many seconds; it is not reaped, so that its id stays taken."""
    try:
        async with asyncio.timeout(within):
            await _exit_of(process)
    except TimeoutError:
        return False
    return True


async def _exit_of(process: "subprocess.Popen[bytes]") -> None:
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # not Linux, or an old one
        while process.poll() is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _kill_tree(pid: int) -> None:
    """Kill the process, its group, and every descendant, also those that left the group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGSTOP)  # so that the tree does not grow while it is read
    for descendant in _descendants(pid):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(descendant, signal.SIGKILL)
    _kill_group(pid)


def _descendants(pid: int) -> list[int]:
    """All living descendants, from /proc; none where there is no /proc."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            # "pid (name) state parent ...", and a name may hold spaces and parentheses.
            parent = int(status.read_bytes().rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(int(status.parent.name))
    found = list(children.get(pid, ()))
    for descendant in found:
        found.extend(children.get(descendant, ()))
    return found
