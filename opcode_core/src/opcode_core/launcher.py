"""Starting commands behind a confinement: this program's side of `launcher_child`."""

import asyncio
import contextlib
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from opcode_core import launcher_child as child
from opcode_core.command_pipes import CommandPipes
from opcode_core.contracts.isolator import Command, Finished, Limits
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.starting import NO_CORE, cannot_start, cpu_seconds

KILLED = -9
DYING = 5.0
"""Seconds that a killed tree may take to be gone."""
SENDING = 10.0
"""Seconds that the launcher may take to accept a command."""


class Launcher:
    """Runs commands behind the confinement of a plugin.

    Each command has a supervisor of its own outside of the confinement, which kills all that came of the
    command when it is told to, and also when this program ends, however it ends.

    Args:
        entry: the module of the confinement, `package.module`; `launcher_child` says what it may hold.
        name: the isolator's, for its errors.
    """

    def __init__(self, entry: str, name: str) -> None:
        self.entry = entry
        self.name = name
        self._process: _Process | None = None
        self._lock = threading.Lock()

    async def run(
        self,
        command: Command,
        limits: Limits,
        setup: Mapping[str, Any],
        *,
        init: bool = False,
        rlimits: Sequence[tuple[int, int]] = (),
    ) -> Finished:
        """Run to the end or to the timeout; being cancelled kills the whole tree.

        Args:
            command: what to run.
            limits: only its timeout counts here; the rest is in `setup` and `rlimits`.
            setup: JSON that the confinement's functions are given.
            init: whether `prepare` makes a pid namespace, so that an init is needed.
            rlimits: bounds beside those that are always set.

        Raises:
            OpcodeError: EXECUTION_ERROR when the command cannot start, ISOLATION_ERROR when the
                confinement cannot be put up.
        """
        if not command.argv:
            raise cannot_start(command, ValueError())
        bounds = [(resource.RLIMIT_CORE, NO_CORE), *rlimits]
        if limits.timeout is not None:
            bounds.append((resource.RLIMIT_CPU, cpu_seconds(limits.timeout)))
        request = {
            "argv": list(command.argv),
            "env": dict(command.env),
            "cwd": str(command.cwd or Path.cwd()),
            "cwd_named": command.cwd is not None,
            "init": init,
            "rlimits": bounds,
            "setup": dict(setup),
        }
        started = time.monotonic()
        control, pipes = self._start(command)
        answer: dict[str, Any] | None = None
        exited = False
        try:
            await pipes.attach(command.stdin)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limits.timeout):
                    await control.ask(request)
                    answer = await control.answer()
                    exited = True
            if exited:
                await pipes.drained()
        finally:
            await _clean_up(control, pipes)
        code = KILLED if not exited else self._exit_code(command, answer)
        return Finished(
            exit_code=code,
            stdout=bytes(pipes.stdout.data),
            stderr=bytes(pipes.stderr.data),
            duration=time.monotonic() - started,
            killed=not exited,
            truncated=pipes.truncated,
        )

    def attempt(self, setup: Mapping[str, Any], *, init: bool = False) -> str | None:
        """Put up a confinement around nothing, waiting for it; why that does not work, or None when it does."""
        ours, theirs = socket.socketpair()
        with ours, theirs, open(os.devnull, "r+b") as nothing:  # noqa: PTH123
            ours.settimeout(SENDING)
            request = {"argv": ["true"], "env": {}, "cwd": "/", "cwd_named": False, "rlimits": []}
            try:
                self._launch([theirs.fileno(), *[nothing.fileno()] * 3])
                theirs.close()
                ours.sendall(_frame({**request, "init": init, "setup": dict(setup)}))
                answer = json.loads(
                    ours.makefile("rb").readline() or b'{"fault": "its supervisor was killed"}'
                )
            except (OSError, OpcodeError) as error:
                return str(error)
        fault: str | None = answer.get("fault")
        return fault

    def close(self) -> None:
        """End the launcher; commands that still run are seen through. A later command starts a new one."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.end()

    def _start(self, command: Command) -> "tuple[_Control, CommandPipes]":
        ours, theirs = socket.socketpair()
        files = _Files(with_stdin=bool(command.stdin))
        try:
            self._launch([theirs.fileno(), *files.theirs])
        except BaseException:
            ours.close()
            files.close_ours()
            raise
        finally:
            theirs.close()
            files.close_theirs()
        return _Control(ours), CommandPipes(files.stdin, files.stdout, files.stderr, command.max_output_bytes)

    def _launch(self, files: list[int]) -> None:
        with self._lock:
            for _ in range(2):
                if self._process is None or not self._process.usable():
                    self._process = _Process(self.entry)
                    weakref.finalize(self, self._process.end)
                try:
                    self._process.launch(files)
                except OSError as error:
                    problem = str(error)
                    self._process.end()
                    self._process = None
                else:
                    return
        raise self._broken(f"its launcher does not answer: {problem}")

    def _exit_code(self, command: Command, answer: dict[str, Any] | None) -> int:
        if answer is None:
            raise self._broken("the supervisor of the command was killed")
        if "errno" in answer:
            error = OSError(answer["errno"], "", answer["filename"])
            raise cannot_start(command, error)
        if "value" in answer:
            raise cannot_start(command, ValueError(answer["value"]))
        if "fault" in answer:
            raise self._broken(answer["fault"])
        return int(answer["exit"])

    def _broken(self, why: str) -> OpcodeError:
        return OpcodeError(
            ErrorCode.ISOLATION_ERROR,
            f"the {self.name} isolator could not confine the command, so it was not run: {why}; "
            "`opcode doctor` says what works on this machine",
            details={"isolator": self.name},
        )


async def _clean_up(control: "_Control", pipes: CommandPipes) -> None:
    # The kill comes first and does not wait, so nothing that happens later can prevent it.
    control.hang_up()
    try:
        await control.gone()
        await pipes.drained()
    finally:
        control.close()
        pipes.close()


def _frame(request: dict[str, Any]) -> bytes:
    body = json.dumps(request).encode()
    return child.LENGTH.pack(len(body)) + body


class _Files:
    """Both ends of a command's three files."""

    def __init__(self, *, with_stdin: bool) -> None:
        self.stdin: IO[bytes] | None = None
        if with_stdin:
            stdin, writable = os.pipe()
            self.stdin = os.fdopen(writable, "wb", 0)
        else:
            stdin = os.open(os.devnull, os.O_RDONLY)
        readable_out, stdout = os.pipe()
        readable_err, stderr = os.pipe()
        self.stdout: IO[bytes] = os.fdopen(readable_out, "rb", 0)
        self.stderr: IO[bytes] = os.fdopen(readable_err, "rb", 0)
        self.theirs = [stdin, stdout, stderr]

    def close_theirs(self) -> None:
        for file in self.theirs:
            os.close(file)

    def close_ours(self) -> None:
        for file in (self.stdin, self.stdout, self.stderr):
            if file is not None:
                file.close()


class _Control:
    """Our end of the line to a supervisor."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._line.setblocking(False)

    async def ask(self, request: dict[str, Any]) -> None:
        """Say what to run; a supervisor that has ended is noticed by its answer."""
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().sock_sendall(self._line, _frame(request))

    async def answer(self) -> dict[str, Any] | None:
        """How the command ended, or why it did not begin; None when the supervisor ended without a word."""
        loop, data = asyncio.get_running_loop(), b""
        while not data.endswith(b"\n"):
            try:
                part = await loop.sock_recv(self._line, 65536)
            except OSError:
                part = b""
            if not part:
                return None
            data += part
        first, *_ = data.splitlines()
        answer: dict[str, Any] = json.loads(first)
        return answer

    def hang_up(self) -> None:
        """Let the supervisor kill whatever is left."""
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_WR)

    async def gone(self) -> None:
        """Until the supervisor has buried the last process."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            async with asyncio.timeout(DYING):
                while await loop.sock_recv(self._line, 65536):
                    pass

    def close(self) -> None:
        """Let go of the line."""
        self._line.close()


class _Process:
    """The launcher's process. It knows nothing of this program: no environment, no files."""

    def __init__(self, entry: str) -> None:
        self._owner = os.getpid()
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", child.__file__],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                start_new_session=True,
            )
        finally:
            theirs.close()
        self._line.settimeout(SENDING)
        path = [str(Path(folder).absolute()) for folder in sys.path]
        self._line.send(json.dumps({"entry": entry, "path": path}).encode())

    def usable(self) -> bool:
        """Whether it is there, and ours: after a fork it is the parent's."""
        return self._owner == os.getpid() and self._process.poll() is None

    def launch(self, files: list[int]) -> None:
        """Hand over a control line and three files.

        Raises:
            OSError: it has ended, or does not listen.
        """
        socket.send_fds(self._line, [b"!"], files)

    def end(self) -> None:
        """Let it go; it ends when its line does."""
        self._line.close()
        if self._owner != os.getpid():
            return
        try:
            self._process.wait(DYING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
