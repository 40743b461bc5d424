"""Settings: flags over `OPCODE_*` variables over `~/.opcode/settings.json`."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, unquote

from opcode_core.codec import loads
from opcode_core.durations import parse_duration
from opcode_core.engine.breaker import NEVER, BreakerPolicy
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.network import NetworkPolicy, ports_of
from opcode_core.paths import PathPolicy
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
        tools: MCP servers whose tools are actions, each an object with an `id`.
        read_only_paths, writable_paths, deny_paths: what `fs.*` may touch; all but OPCODE's own by default.
        http_allow_private: whether `http.*` may reach loopback and private networks.
        isolation: which isolator runs commands: `auto`, the strongest that works; `require`, the same, but
            nothing is run that it does not keep from this program; or a name.
        breakers: when the circuit breakers of actions open, and for how long, by action; `*` is all others.
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
    tools: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    read_only_paths: tuple[Path, ...] = ()
    writable_paths: tuple[Path, ...] = ()
    deny_paths: tuple[Path, ...] = ()
    http_allow_private: bool = True
    isolation: str = "auto"
    breakers: Mapping[str, BreakerPolicy] = field(default_factory=dict)

    @property
    def storage_url(self) -> str:
        """The storage's URL, made from `db_path` when none is given; SQLite's says how durable it is."""
        url = self.storage or f"sqlite:///{quote(str(self.db_path.expanduser().absolute()))}"
        address, _, query = url.partition("?")
        if not address.startswith("sqlite:") or "durability" in dict(parse_qsl(query)):
            return url
        return f"{address}?{query}{'&' if query else ''}durability={self.durability}"

    @property
    def paths(self) -> PathPolicy:
        """Which files actions may touch; OPCODE's own are its folder and its database, wherever that lies.

        Raises:
            OpcodeError: PATH_DENIED for a rule that begins with a home directory that there is none of.
        """
        return PathPolicy(
            read_only=self.read_only_paths,
            writable=self.writable_paths,
            deny=self.deny_paths,
            own=(HOME, *self._database()),
        )

    @property
    def network(self) -> NetworkPolicy:
        """Where actions may connect to."""
        return NetworkPolicy(self.http_allow_private, ports_of(self.listen_addr))

    def _database(self) -> tuple[Path, ...]:
        """SQLite's files, as far as they are files."""
        address = self.storage_url.partition("?")[0]
        if not address.startswith("sqlite:///"):
            return ()
        file = unquote(address.removeprefix("sqlite:///"))
        return tuple(Path(f"{file}{end}") for end in ("", "-wal", "-shm", "-journal")) if file else ()


_in_use: list[Settings] = []


def put_in_use(settings: Settings) -> None:
    """Let parts of the program that nobody hands settings to find these."""
    _in_use[:] = [settings]


def in_use() -> Settings | None:
    """The settings of this call of `opcode`; None in a program that hosts an engine itself."""
    return _in_use[0] if _in_use else None


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
        if name not in known:
            hint = did_you_mean(name, known) or available(sorted(known))
            raise _wrong(f"{path}: unknown setting '{name}'; {hint}")
    return {name: value for name, value in content.items() if name in known and value is not None}


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


def _paths(value: Any, source: str) -> tuple[Path, ...]:
    """Of any working directory, so that a rule means the same wherever the program is started."""
    paths = value.split(os.pathsep) if isinstance(value, str) else value
    if not isinstance(paths, list | tuple) or not all(isinstance(path, str | Path) for path in paths):
        raise _wrong(f"{source} is {value!r}; it must be a list of paths")
    rules = tuple(Path(path) for path in paths if str(path))
    for rule in rules:
        if "\0" in str(rule) or not (rule.is_absolute() or str(rule).startswith("~")):
            raise _wrong(f"{source} holds {str(rule)!r}; a path there begins with / or ~")
        try:
            PathPolicy(deny=(rule,))
        except OpcodeError as error:
            raise _wrong(f"{source}: {error.message}") from None
    return rules


def _base(value: Any, source: str) -> str:
    if re.fullmatch(r"https?://[^/?#\s]+/?", str(value)):
        return str(value).rstrip("/")
    raise _wrong(f'{source} is {value!r}; it must be like "https://opcode.example.org"')


def _token(value: Any, source: str) -> str:
    if isinstance(value, str) and re.fullmatch("[!-~]+", value):
        return value
    raise _wrong(f"{source} must be printable ASCII without spaces")


def _tools(value: Any, source: str) -> tuple[Mapping[str, Any], ...]:
    if isinstance(value, str):
        try:
            value = loads(value)
        except ValueError as error:
            raise _wrong(f"{source} is not JSON: {error}") from None
    if isinstance(value, list | tuple) and all(
        isinstance(tool, dict) and isinstance(tool.get("id"), str) for tool in value
    ):
        return tuple(value)
    raise _wrong(f'{source} must be a list of objects, each with an "id" and a "command" or a "url"')


def _breakers(value: Any, source: str) -> Mapping[str, BreakerPolicy]:
    if isinstance(value, str):
        try:
            value = loads(value)
        except ValueError as error:
            raise _wrong(f"{source} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise _wrong(f'{source} must be an object, as {{"http.get": {{"failures": 20, "pause": "10s"}}}}')
    return {action: _breaker(policy, f"{source}: {action}") for action, policy in value.items()}


def _breaker(value: Any, source: str) -> BreakerPolicy:
    """`false` is one that never opens."""
    if value is False:
        return NEVER
    if not isinstance(value, dict) or not {"failures", "pause"}.issuperset(value):
        raise _wrong(f'{source} is {value!r}; write {{"failures": 20, "pause": "10s"}}, or false for none')
    usual = BreakerPolicy()
    failures = value.get("failures", usual.failures)
    if type(failures) is not int or failures < 1:
        raise _wrong(f"{source}.failures is {failures!r}; it must be a whole number from 1")
    try:
        return BreakerPolicy(failures, parse_duration(value.get("pause", usual.pause)))
    except ValueError as error:
        raise _wrong(f"{source}.pause: {error}") from None


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


def _isolator(value: Any, source: str) -> str:
    if re.fullmatch("[a-z][a-z0-9_-]*", str(value)):
        return str(value)
    raise _wrong(f"{source} is {value!r}; it must be auto, require or the name of an isolator")


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
    "tools": _tools,
    "read_only_paths": _paths,
    "writable_paths": _paths,
    "deny_paths": _paths,
    "http_allow_private": _switch,
    "isolation": _isolator,
    "breakers": _breakers,
}
