"""Settings: flags over `OPCODE_*` variables over `~/.opcode/settings.json`."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
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
    for field in fields(Settings):
        variable = f"OPCODE_{field.name.upper()}"
        if environment.get(variable, "") != "":
            values[field.name] = _read(field.name, environment[variable], variable)
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
    known = {field.name for field in fields(Settings)}
    for name in content:
        if name not in known and name not in LATER:
            hint = did_you_mean(name, known) or available(sorted(known))
            raise _wrong(f"{path}: unknown setting '{name}'; {hint}")
    return {name: value for name, value in content.items() if name in known and value is not None}


LATER = frozenset({"listen_addr", "base_url", "panel", "token", "http_allow_private"})
"""Settings that packages beside the core read for themselves."""


CHOICES = {
    "log_level": ("debug", "info", "warning", "error"),
    "durability": ("full", "normal"),
    "recovery": ("resume", "suspend"),
}


def _read(name: str, value: Any, source: str) -> Any:
    match name:
        case "db_path":
            if isinstance(value, str | Path) and str(value) and "\0" not in str(value):
                return Path(value)
            raise _wrong(f"{source} is {value!r}; it must be the path of a file")
        case "storage" if not isinstance(value, str):
            raise _wrong(f"{source} is {value!r}; it must be a URL")
        case "pool_size":
            if re.fullmatch("[0-9]{1,5}", str(value)) and 1 <= int(value) <= 10_000:
                return int(value)
            raise _wrong(f"{source} is {value!r}; it must be a number from 1 to 10000")
        case "log_level" | "durability" | "recovery":
            return _choice(str(value).lower(), CHOICES[name], source)
        case "retention":
            return _retention(value, source)
        case "plugins_allow" | "plugins_deny":
            names = value.split(",") if isinstance(value, str) else value
            if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
                return tuple(name.strip() for name in names if name.strip())
            raise _wrong(f"{source} is {value!r}; it must be a list of names")
    return str(value)


def _choice(value: str, allowed: tuple[str, ...], source: str) -> str:
    if value in allowed:
        return value
    raise _wrong(f"{source} is {value!r}; it must be one of {', '.join(allowed)}")


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
