"""What files a command may see, from its limits: rules that a confinement can put up."""

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from opcode_core.contracts.isolator import Limits
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.paths import resolve

PROGRAMS = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/gnu/store",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
)
"""Where programs and libraries are: readable without being named, or no command could start."""
NAMES = ("/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf", "/etc/ssl/certs", "/etc/ssl/openssl.cnf")
"""What finding and trusting other machines takes: readable where the network may be used."""


@dataclass(frozen=True, slots=True)
class FileRules:
    """Places without links: `deny` wins over everything, then the longest match, then `read_only`.

    Attributes:
        everything: no place was named, so all that is not denied may be read and written.
        read_only, writable, deny: places that exist.
        closed: directories in which nothing may be made, or a denied place that does not exist yet could be.
        links: links among the places of programs, such as /bin.
    """

    everything: bool
    read_only: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    links: tuple[str, ...] = ()

    @classmethod
    def of(cls, limits: Limits) -> "FileRules":
        """The rules that are in `limits`.

        Raises:
            OpcodeError: ISOLATION_ERROR for a writable path that does not exist; VALIDATION_ERROR or
                PATH_DENIED for what cannot be a path.
        """
        denied = [_resolved(path) for path in limits.deny_paths]
        deny = tuple(str(path) for path in denied if path.exists())
        closed = tuple(str(_nearest(path)) for path in denied if not path.exists())
        if not limits.read_only_paths and not limits.writable_paths:
            return cls(everything=True, deny=deny, closed=closed)
        writable = [_resolved(path) for path in limits.writable_paths]
        for path in writable:
            if not path.exists():
                raise _missing(path)
        granted = [*PROGRAMS, *(NAMES if limits.allow_network else ())]
        readable = [*limits.read_only_paths, *map(Path, granted)]
        return cls(
            everything=False,
            read_only=_those_that_exist(_resolved(path) for path in readable),
            writable=tuple(map(str, writable)),
            deny=deny,
            closed=closed,
            links=tuple(path for path in PROGRAMS if Path(path).is_symlink()),
        )

    def as_json(self) -> dict[str, Any]:
        """The same, for a confinement."""
        return asdict(self)


def _resolved(path: Path) -> Path:
    return resolve(os.fspath(path))


def _nearest(path: Path) -> Path:
    """The nearest parent that exists."""
    return next(parent for parent in path.parents if parent.exists())


def _those_that_exist(paths: Iterable[Path]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(path) for path in paths if path.exists()))


def _missing(path: Path) -> OpcodeError:
    return OpcodeError(
        ErrorCode.ISOLATION_ERROR,
        f"writable_paths names {path}, which does not exist, and a command cannot be let make it without being "
        f"let into {_nearest(path)}; make it first, or name that",
        details={"path": str(path)},
    )
