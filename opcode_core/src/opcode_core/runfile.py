"""Where a running server is found by the commands of the same user: a small file, one for each storage."""

import hashlib
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from opcode_core.codec import dumps, loads
from opcode_core.settings import HOME


@dataclass(frozen=True, slots=True)
class Running:
    """A server.

    Attributes:
        pid: its process.
        url: where it is reached, as `http://127.0.0.1:4100`.
        key: lets in whoever can read the file, which is only its user.
        storage: the URL of its storage.
    """

    pid: int
    url: str
    key: str
    storage: str


def new_key() -> str:
    """What nobody guesses."""
    return secrets.token_urlsafe(32)


def write(running: Running, home: Path = HOME) -> Path:
    """Say that a server runs; only its user can read that."""
    path = _path(running.storage, home)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(dumps(asdict(running)))
    temporary.replace(path)
    return path


def remove(running: Running, home: Path = HOME) -> None:
    """Say that it runs no longer, unless another one has said so of itself since."""
    if find(running.storage, home) == running:
        _path(running.storage, home).unlink(missing_ok=True)


def find(storage: str, home: Path = HOME) -> Running | None:
    """The server on that storage, if its process lives."""
    return _read(_path(storage, home))


def ports(home: Path = HOME) -> frozenset[int]:
    """Where servers of this user listen, on whatever storage."""
    try:
        found = map(_read, sorted((home.expanduser() / "servers").glob("*.json")))
        ports = (urlsplit(running.url).port for running in found if running is not None)
        return frozenset(port for port in ports if port is not None)
    except (OSError, RuntimeError, ValueError):
        return frozenset()


def _read(path: Path) -> Running | None:
    try:
        running = Running(**loads(path.read_bytes()))
        os.kill(running.pid, 0)
    except (OSError, ValueError, TypeError):
        return None
    return running


def _path(storage: str, home: Path) -> Path:
    name = hashlib.sha256(storage.partition("?")[0].encode()).hexdigest()[:16]
    return home.expanduser() / "servers" / f"{name}.json"
