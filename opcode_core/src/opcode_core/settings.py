"""Settings: flags over `OPCODE_*` variables over `~/.opcode/settings.json`."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, quote

from opcode_core.codec import loads
from opcode_core.durations import parse_duration
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.suggestions import available, did_you_mean

HOME = Path("~/.opcode")


@dataclass(frozen=True, slots=True)
class Settings:
    """How this program runs.

    Attributes:
        db_path: the SQLite file, used unless `storage` names another.
        storage: URL of the storage; its scheme picks the plugin.
        pool_size: how many actions run at once; more wait.
        durability: `full` survives a loss of power, `normal` a crash of the process.
        plugins_allow: only these plugins, when given; plugins_deny: not these.
        recovery: `resume` lets runs whose process died go on by themselves, `suspend` holds them
            until somebody says so.
        retention: seconds for which a run is kept after its end; None keeps all.
        listen_addr: where the server listens, as `127.0.0.1:4100` or `[::1]:4100`; port 0 takes a free one.
        base_url: how the server is reached from outside; made of `listen_addr` when empty.
        panel: whether the server shows the web panel.
        token: what callers of the server must bring along; needed beyond loopback.
    """

    db_path: Path = HOME / "opcode.db"
    storage: str = ""
    pool_size: int = 10
    log_level: str = "info"
    durability: str = "full"
    plugins_allow: tuple[str, ...] | None = None
    plugins_deny: tuple[str, ...] = ()
    recovery: Literal["resume", "suspend"] = "resume"
    retention: float | None = None
    listen_addr: str = "127.0.0.1:4100"
    base_url: str = ""
    panel: bool = True
    token: str = field(default="", repr=False)

    @property
    def storage_url(self) -> str:
        """The storage's URL, made from `db_path` when none is given; SQLite's says how durable it is."""
        url = self.storage or f"sqlite:///{quote(str(self.db_path.expanduser().absolute()))}"
        address, _, query = url.partition("?")
        if not address.startswith("sqlite:") or "durability" in dict(parse_qsl(query)):
            return url
        return f"{address}?{query}{'&' if query else ''}durability={self.durability}"


def load_settings(
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    """Put the three sources together.

    Args:
        flags: by field name; None values do not count.
        environment: `os.environ` by default.
        file: `~/.opcode/settings.json` by default; it need not exist.

    Raises:
        OpcodeError: VALIDATION_ERROR naming the source, the setting, its value and what is allowed.
    """
    environment = os.environ if environment is None else environment
    path = (file or HOME / "settings.json").expanduser()
    values: dict[str, Any] = {}
    for name, value in _read_file(path).items():
        values[name] = _read(name, value, f"{path}: {name}")
    for name in (known.name for known in fields(Settings)):
        variable = f"OPCODE_{name.upper()}"
        if environment.get(variable, "") != "":
            values[name] = _read(name, environment[variable], variable)
    for name, value in (flags or {}).items():
        if value is not None:
            values[name] = _read(name, value, f"--{name.replace('_', '-')}")
    return Settings(**values)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        content = loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _wrong(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise _wrong(f"{path} must hold a JSON object")
    known = {setting.name for setting in fields(Settings)}
    for name in content:
        if name not in known and name not in LATER:
            hint = did_you_mean(name, known) or available(sorted(known))
            raise _wrong(f"{path}: unknown setting '{name}'; {hint}")
    return {name: value for name, value in content.items() if name in known and value is not None}


LATER = frozenset({"http_allow_private"})
"""Settings that packages beside the core read for themselves."""


def _read(name: str, value: Any, source: str) -> Any:
    return _READERS[name](value, source)


def _file(value: Any, source: str) -> Path:
    if isinstance(value, str | Path) and str(value) and "\0" not in str(value):
        return Path(value)
    raise _wrong(f"{source} is {value!r}; it must be the path of a file")


def _url(value: Any, source: str) -> str:
    if isinstance(value, str):
        return value
    raise _wrong(f"{source} is {value!r}; it must be a URL")


def _pool(value: Any, source: str) -> int:
    if re.fullmatch("[0-9]{1,5}", str(value)) and 1 <= int(value) <= 10_000:
        return int(value)
    raise _wrong(f"{source} is {value!r}; it must be a number from 1 to 10000")


def _names(value: Any, source: str) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
        return tuple(name.strip() for name in names if name.strip())
    raise _wrong(f"{source} is {value!r}; it must be a list of names")


def _base(value: Any, source: str) -> str:
    if re.fullmatch(r"https?://[^/?#\s]+/?", str(value)):
        return str(value).rstrip("/")
    raise _wrong(f'{source} is {value!r}; it must be like "https://opcode.example.org"')


def _token(value: Any, source: str) -> str:
    if isinstance(value, str) and re.fullmatch("[!-~]+", value):
        return value
    raise _wrong(f"{source} must be printable ASCII without spaces")


def _one_of(*allowed: str) -> Callable[[Any, str], str]:
    def choice(value: Any, source: str) -> str:
        if str(value).lower() in allowed:
            return str(value).lower()
        raise _wrong(f"{source} is {str(value).lower()!r}; it must be one of {', '.join(allowed)}")

    return choice


def _address(value: Any, source: str) -> str:
    host, colon, port = str(value).rpartition(":")
    if colon and host and re.fullmatch("[0-9]{1,5}", port) and int(port) < 65536:
        return str(value)
    raise _wrong(f'{source} is {value!r}; it must be host:port, as "127.0.0.1:4100"')


def _switch(value: Any, source: str) -> bool:
    switches = {"true": True, "1": True, "on": True, "yes": True}
    switches |= {"false": False, "0": False, "off": False, "no": False}
    if str(value).lower() not in switches:
        raise _wrong(f"{source} is {value!r}; it must be true or false")
    return switches[str(value).lower()]


def _retention(value: Any, source: str) -> float | None:
    if str(value).lower() == "none":
        return None
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        raise _wrong(f"{source}: {error}") from None
    if seconds == 0:
        raise _wrong(f'{source} is {value!r}; write how long runs are kept, as "30d", or "none"')
    return seconds


def _wrong(message: str) -> OpcodeError:
    return OpcodeError(ErrorCode.VALIDATION_ERROR, message)


_READERS: Mapping[str, Callable[[Any, str], Any]] = {
    "db_path": _file,
    "storage": _url,
    "pool_size": _pool,
    "log_level": _one_of("debug", "info", "warning", "error"),
    "durability": _one_of("full", "normal"),
    "recovery": _one_of("resume", "suspend"),
    "plugins_allow": _names,
    "plugins_deny": _names,
    "retention": _retention,
    "listen_addr": _address,
    "base_url": _base,
    "panel": _switch,
    "token": _token,
}
