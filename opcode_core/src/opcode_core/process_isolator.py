"""The isolator that is always there: a process group, rlimits and a timeout."""

import asyncio
import contextlib
import math
import os
import resource
import signal
import subprocess
import time
from pathlib import Path
from typing import IO

from opcode_core.contracts.isolator import Command, Finished, Limits, Probe
from opcode_core.errors import ErrorCode, OpcodeError

_HAS_PRLIMIT = hasattr(resource, "prlimit")

_GRACE = 1.0
"""Seconds that a pipe may stay open, and a killed process alive, before they are given up."""


class ProcessIsolator:
    """Runs a command in a session of its own, with rlimits, and kills the whole tree.

    The command ends when its first process ends; what that leaves running in its process group
    is killed then. A daemon that left the group and whose parent is gone is not found: that
    takes an isolator with cgroups.

    `max_memory_bytes` is RLIMIT_AS of each process. It is set right after the start, because a
    `preexec_fn` costs milliseconds and a launching shell hides why a command cannot start; for
    some microseconds a process is without it. What it took then counts against it afterwards,
    only a child forked in that time is free of it.
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
        )

    async def run(self, command: Command, limits: Limits) -> Finished:
        """Run to the end or to the timeout; being cancelled kills the whole tree.

        Raises:
            OpcodeError: EXECUTION_ERROR when it cannot start, ISOLATION_ERROR for a limit that
                rlimits cannot keep.
        """
        _refuse_what_cannot_be_kept(limits)
        started = time.monotonic()
        process = _start(command)
        pipes = _Pipes(process, command.max_output_bytes)
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
            truncated=pipes.stdout.truncated or pipes.stderr.truncated,
        )


def _refuse_what_cannot_be_kept(limits: Limits) -> None:
    wanted = {
        "max_memory_bytes": limits.max_memory_bytes is not None and not _HAS_PRLIMIT,
        "max_cpu_percent": limits.max_cpu_percent is not None,
        "max_pids": limits.max_pids is not None,
        "allow_network": not limits.allow_network,
        "read_only_paths": bool(limits.read_only_paths),
        "writable_paths": bool(limits.writable_paths),
        "deny_paths": bool(limits.deny_paths),
    }
    refused = [name for name, is_wanted in wanted.items() if is_wanted]
    if refused:
        raise _cannot_keep(refused, "it only knows process groups, rlimits and timeouts")


def _cannot_keep(names: list[str], why: str) -> OpcodeError:
    return OpcodeError(
        ErrorCode.ISOLATION_ERROR,
        f"the process isolator cannot enforce {', '.join(names)}: {why}; install an isolator plugin that can "
        "(such as opcode-cgroups, where the machine allows it), or leave the limit out",
        details={"isolator": ProcessIsolator.name, "limits": names},
    )


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
        name = command.argv[0] if command.argv else ""
        raise OpcodeError(
            ErrorCode.EXECUTION_ERROR,
            f"cannot start {name!r}: {_why_not_started(command, error)}",
            details={"command": name},
        ) from None


def _why_not_started(command: Command, error: Exception) -> str:
    if not isinstance(error, OSError):
        return str(error) if command.argv else "the command line is empty"
    reason = os.strerror(error.errno or 0)
    if command.cwd is not None and str(error.filename) == str(command.cwd):
        return f"its working directory {command.cwd}: {reason}"
    if isinstance(error, FileNotFoundError):
        program = command.argv[0]
        if "/" not in program:
            return "there is no such command on the PATH"
        if (command.cwd or Path()).joinpath(program).exists():
            return "the interpreter that its first line names does not exist"
    return reason


# Limits.


def _set_rlimits(pid: int, limits: Limits) -> None:
    if not _HAS_PRLIMIT:
        return
    with contextlib.suppress(PermissionError):  # a set-uid program keeps its own
        _lower(pid, resource.RLIMIT_CORE, 0)
        if limits.timeout is not None:
            # Only for what outlives the kill: as much as all cores could give until the timeout.
            _lower(pid, resource.RLIMIT_CPU, (math.ceil(limits.timeout) + 1) * (os.cpu_count() or 1))
    if limits.max_memory_bytes is not None:
        try:
            _lower(pid, resource.RLIMIT_AS, limits.max_memory_bytes)
        except PermissionError:
            raise _cannot_keep(["max_memory_bytes"], "the command runs as another user") from None


def _lower(pid: int, which: int, value: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        _, most = resource.prlimit(pid, which)
        bound = min(value, 2**62) if most == resource.RLIM_INFINITY else min(value, most)
        resource.prlimit(pid, which, (bound, bound))


# Pipes.


class _Pipe(asyncio.Protocol):
    """One end of a pipe: keeps the first `room` bytes that come out of it and discards the rest."""

    def __init__(self, room: int = 0) -> None:
        self.data = bytearray()
        self.truncated = False
        self.ended = asyncio.Event()
        self._room = room

    def data_received(self, data: bytes) -> None:
        kept = data[: self._room - len(self.data)]
        self.data += kept
        self.truncated = self.truncated or len(kept) < len(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.ended.set()


class _Pipes:
    """The three pipes of a process, fed and read by the event loop."""

    def __init__(self, process: "subprocess.Popen[bytes]", max_output_bytes: int) -> None:
        self.stdin = _Pipe()
        self.stdout = _Pipe(max_output_bytes)
        self.stderr = _Pipe(max_output_bytes)
        self._process = process
        self._attached: list[tuple[asyncio.ReadTransport | asyncio.WriteTransport, _Pipe]] = []

    async def attach(self, stdin: bytes) -> None:
        await self._read(self.stdout, self._process.stdout)
        await self._read(self.stderr, self._process.stderr)
        if self._process.stdin is not None:
            loop = asyncio.get_running_loop()
            writing, _ = await loop.connect_write_pipe(lambda: self.stdin, self._process.stdin)
            self._attached.append((writing, self.stdin))
            writing.write(stdin)
            writing.write_eof()

    async def _read(self, pipe: _Pipe, file: IO[bytes] | None) -> None:
        reading, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: pipe, file)
        self._attached.append((reading, pipe))

    async def drained(self) -> None:
        """Until both outputs end, but not longer than the grace: someone else may hold them open."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                for _, pipe in self._attached[:2]:
                    await pipe.ended.wait()

    def close(self) -> None:
        for transport, pipe in self._attached:
            if pipe.ended.is_set():
                continue
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
            else:
                transport.close()
        # A transport closes its file; cancelled before all had one, the rest is ours to close.
        files = (self._process.stdout, self._process.stderr, self._process.stdin)
        for file in files[len(self._attached) :]:
            if file is not None:
                file.close()


# The end.


async def _clean_up(process: "subprocess.Popen[bytes]", pipes: _Pipes, *, exited: bool) -> None:
    # The kill comes first and does not wait, so nothing that happens later can prevent it; and
    # it comes before the reaping, after which the group's id could be another's.
    if exited:
        _kill_group(process.pid)
    else:
        _kill_tree(process.pid)
    try:
        await pipes.drained()
        if not exited:
            await _exits(process, _GRACE)
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
