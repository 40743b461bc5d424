"""Where the attacks take place: files inside and outside, another program, a listener, and what is left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opcode_core import Command, Finished, Isolator, Limits

PYTHON = getattr(sys, "_base_executable", sys.executable)
SECRET = "the-secret-of-the-program"  # noqa: S105
PROGRAMS = (Path(sys.base_prefix),)
"""What Python needs, where it is not among the system's programs."""
PATIENCE = 5.0
_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


class Escaped(Exception):  # noqa: N818
    """An attack did what it should not be able to."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One of them: what it is called, the layer that keeps it off, and how it goes."""

    name: str
    layer: str
    go: Callable[["Arena"], Awaitable[None]]


class Arena:
    """One attack's surroundings.

    Attributes:
        inside: a folder that commands may write; `outside`: one that they may not.
        secret: a file in `outside`.
        victim: a process outside, with the secret in its environment.
    """

    def __init__(self, isolator: Isolator, folder: Path) -> None:
        self.isolator = isolator
        folder = folder.resolve()
        self.inside, self.outside = folder / "inside", folder / "outside"
        for one in (self.inside, self.outside):
            one.mkdir()
        self.secret = self.outside / "secret"
        self.secret.write_text(SECRET)
        self.victim = subprocess.Popen(
            ["/bin/sleep", "300"], env={"SECRET": SECRET}, start_new_session=True, stdin=subprocess.DEVNULL
        )

    @property
    def only_inside(self) -> dict[str, Any]:
        """The limits that show a command just one folder."""
        return {"writable_paths": (self.inside,), "read_only_paths": PROGRAMS}

    async def sh(self, script: str, **limits: Any) -> Finished:
        """Let a shell run a script, `$0` being the folder inside."""
        return await self._run(["/bin/sh", "-c", script, str(self.inside)], limits)

    async def python(self, script: str, *arguments: object, **limits: Any) -> Finished:
        """Let Python run a script."""
        return await self._run([PYTHON, "-I", "-S", "-c", script, *map(str, arguments)], limits)

    async def _run(self, argv: list[str], limits: dict[str, Any]) -> Finished:
        command = Command(argv=argv, env=_ENV, cwd=self.inside)
        return await self.isolator.run(command, Limits(**{"timeout": 20.0, **limits}))

    def leave_nothing(self) -> None:
        """End what is ours, and whatever got away.

        Raises:
            Escaped: something got away.
        """
        self.victim.kill()
        self.victim.wait()
        if self.inside.is_mount():
            subprocess.run(["umount", self.inside], check=True)  # noqa: S607
        left = self.running(until_gone=PATIENCE)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if left:
            raise Escaped(f"{len(left)} processes were left running")

    def running(self, *, until_gone: float = 0.0) -> list[int]:
        """Processes that work in the folder inside, once it is over or the time is up."""
        deadline = time.monotonic() + until_gone
        while (found := [*_working_in(self.inside)]) and time.monotonic() < deadline:
            time.sleep(0.01)
        return found

    @contextmanager
    def listener(self) -> Iterator[int]:
        """A port of loopback on which somebody listens."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            yield listening.getsockname()[1]
            with suppress(BlockingIOError):
                caller, _ = listening.accept()
                caller.close()
                raise Escaped("a connection came through")


def lacks(finished: Finished, *signs: str) -> None:
    """Nothing of that may have been printed.

    Raises:
        Escaped: something was.
    """
    for sign in (SECRET, *signs):
        if sign.encode() in finished.stdout + finished.stderr:
            raise Escaped(f"it printed {sign!r}")


def _working_in(folder: Path) -> Iterator[int]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_zombie = (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            if not is_zombie and (process / "cwd").readlink() == folder:
                yield int(process.name)
