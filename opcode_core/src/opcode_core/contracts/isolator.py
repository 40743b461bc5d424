"""An isolator: where a command that others wrote is run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one command; None is no bound.

    Attributes:
        max_memory_bytes: of the whole process tree where the isolator can, else of each process.
        max_cpu_percent: of one core; 150 is one and a half cores.
        max_pids: processes and threads of the tree.
        timeout: seconds, after which the whole tree is killed.
        allow_network: False cuts it off.
        read_only_paths, writable_paths, deny_paths: what files it sees; deny wins.
    """

    max_memory_bytes: int | None = None
    max_cpu_percent: float | None = None
    max_pids: int | None = None
    timeout: float | None = None
    allow_network: bool = True
    read_only_paths: tuple[Path, ...] = ()
    writable_paths: tuple[Path, ...] = ()
    deny_paths: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """A command line: no shell reads it."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path | None = None
    stdin: bytes = b""
    max_output_bytes: int = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended. `exit_code` is negative for a signal; `killed` says that a bound was hit."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    duration: float
    killed: bool = False
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Probe:
    """What an isolator can do on this machine: its rank, and each layer with why it is missing."""

    works: bool
    strength: int
    layers: Mapping[str, str] = field(default_factory=dict)


class Isolator(Protocol):
    """Runs commands within limits."""

    name: str

    def probe(self) -> Probe:
        """Look at the machine, quickly and without leaving anything behind."""
        ...

    async def run(self, command: Command, limits: Limits) -> Finished:
        """Run to the end or to a limit; being cancelled kills the whole tree.

        Raises:
            OpcodeError: EXECUTION_ERROR when it cannot start, ISOLATION_ERROR when a limit
                cannot be enforced here.
        """
        ...
