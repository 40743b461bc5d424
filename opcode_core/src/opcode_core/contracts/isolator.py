"""An isolator: where a command that others wrote is run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
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
        hidden_paths: denied too, where that changes nothing else; who cannot do that leaves them.
    """

    max_memory_bytes: int | None = None
    max_cpu_percent: float | None = None
    max_pids: int | None = None
    timeout: float | None = None
    allow_network: bool = True
    read_only_paths: tuple[Path, ...] = ()
    writable_paths: tuple[Path, ...] = ()
    deny_paths: tuple[Path, ...] = ()
    hidden_paths: tuple[Path, ...] = ()

    def asked(self) -> frozenset[str]:
        """The names of those that are set and not kept by every isolator anyway."""
        untouched = Limits(timeout=self.timeout, hidden_paths=self.hidden_paths)
        return frozenset(
            known.name
            for known in fields(self)
            if getattr(self, known.name) != getattr(untouched, known.name)
        )


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
    """How a command ended.

    Attributes:
        exit_code: negative for a signal.
        killed: a bound was hit.
        truncated: there was more output than is kept.
        unkept: the names of limits that were asked for and could not be kept.
    """

    exit_code: int
    stdout: bytes
    stderr: bytes
    duration: float
    killed: bool = False
    truncated: bool = False
    unkept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    """What an isolator can do on this machine.

    Attributes:
        works: whether it can be used at all.
        strength: its rank; of those that work the strongest is used.
        layers: by name, `works` or `missing`, followed by what that means or why it is so.
        keeps: the names of the Limits that it keeps here; None when it says so by an error only.
        confines: whether a command is kept from this process and its secrets.
    """

    works: bool
    strength: int
    layers: Mapping[str, str] = field(default_factory=dict)
    keeps: frozenset[str] | None = None
    confines: bool = False


class Isolator(Protocol):
    """Runs commands within limits."""

    @property
    def name(self) -> str:
        """What the settings call it."""
        ...

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
