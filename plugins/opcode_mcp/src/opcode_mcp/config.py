"""What somebody says about a tool server: a command or an address, and what it is given."""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from opcode_core import ErrorCode, OpcodeError, parse_duration
from opcode_core.hosting import did_you_mean

Transport = Literal["stdio", "http", "sse"]
TIMEOUT, STARTUP = 300.0, 30.0
"""Seconds that a call may take where its step says nothing, and that a server has to get ready."""
_OF_COMMAND, _OF_ADDRESS = ("command", "args", "env", "cwd"), ("url", "headers", "transport")
_ID = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_SECRET = re.compile(r"\$\{\{\s*secrets\.([A-Za-z_][A-Za-z0-9_.-]{0,127})\s*\}\}")
_SENSITIVE = re.compile(r"token|secret|passw|api_?-?key|credential|authorization", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ToolServer:
    """One server.

    Attributes:
        id: the prefix of its actions.
        command, args, cwd: how it is started, for `stdio`.
        env: variables beside the few that every process needs; values may name secrets.
        url, headers: where it is, for `http` and `sse`; headers may name secrets.
        transport: how it is spoken to.
        timeout: seconds that a call may take where its step says nothing.
        startup: seconds that it has to get ready.
    """

    id: str
    transport: Transport
    command: str = ""
    args: tuple[str, ...] = ()
    cwd: str | None = None
    url: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = TIMEOUT
    startup: float = STARTUP

    @property
    def where(self) -> str:
        """The command line or the address, as people know it."""
        return self.url or shlex.join((self.command, *self.args))

    @property
    def secrets(self) -> frozenset[str]:
        """Names of the secrets that it is given."""
        values = (*self.env.values(), *self.headers.values())
        return frozenset(name for value in values for name in _SECRET.findall(value))

    def to_json(self) -> dict[str, Any]:
        """As it is stored: what was said, secrets by name."""
        said: dict[str, Any] = {"id": self.id, "timeout": self.timeout, "startup": self.startup}
        if self.url:
            said |= {"url": self.url, "headers": dict(self.headers), "transport": self.transport}
        else:
            said |= {"command": self.command, "args": list(self.args), "env": dict(self.env)}
        return said | ({"cwd": self.cwd} if self.cwd else {})


def resolved(values: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, str]:
    """`values` with the secrets that they name put in; what a secret holds is not looked through again."""
    return {name: _SECRET.sub(lambda found: secrets[found.group(1)], value) for name, value in values.items()}


def exposed(server: ToolServer) -> list[str]:
    """Names of variables and headers that look like secrets and are stored as they are."""
    given = {**server.env, **server.headers}
    return [name for name, value in given.items() if _SENSITIVE.search(name) and not _SECRET.search(value)]


def read_config(raw: Mapping[str, Any], path: str = "") -> ToolServer:
    """What `raw` says.

    Raises:
        OpcodeError: VALIDATION_ERROR naming the path, the value and what is allowed.
    """
    reader = _Reader(raw, path)
    reader.only(*_OF_COMMAND, *_OF_ADDRESS)
    id_ = reader.text("id", _ID, "a lower-case letter, then letters, digits, '_' or '-', 32 at most")
    address = reader.text("url", None, "", "")
    common: dict[str, Any] = {
        "id": id_,
        "timeout": reader.seconds("timeout", TIMEOUT),
        "startup": reader.seconds("startup", STARTUP),
    }
    if bool(address) == bool(raw.get("command")):
        raise reader.wrong("", "give either a command or a url")
    if address:
        reader.only(*_OF_ADDRESS)
        headers = reader.texts("headers", _HEADER)
        transport = reader.text(
            "transport", None, "", "sse" if urlsplit(address).path.endswith("/sse") else "http"
        )
        if transport not in ("http", "sse"):
            raise reader.wrong("transport", f'is {transport!r}; it must be "http" or "sse"')
        return ToolServer(transport=transport, url=reader.address(address), headers=headers, **common)  # type: ignore[arg-type]
    reader.only(*_OF_COMMAND)
    return ToolServer(
        transport="stdio",
        command=reader.plain("command", reader.text("command", None, "a program")),
        args=tuple(reader.plain(f"args[{i}]", arg) for i, arg in enumerate(reader.list("args"))),
        env=reader.texts("env", _VARIABLE),
        cwd=reader.text("cwd", None, "", "") or None,
        **common,
    )


class _Reader:
    """Reads one object, and says where in it something is wrong."""

    def __init__(self, raw: Mapping[str, Any], path: str) -> None:
        self.raw = raw
        self.path = path

    def wrong(self, name: str, why: str) -> OpcodeError:
        where = ".".join(part for part in (self.path, name) if part) or "a tool server"
        return OpcodeError(ErrorCode.VALIDATION_ERROR, f"{where}: {why}", details={"path": where})

    def only(self, *names: str) -> None:
        known = ("id", "timeout", "startup", *names)
        for name in self.raw:
            if name not in known:
                hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
                raise self.wrong(name, f"there is no such field here; {hint}")

    def text(self, name: str, form: "re.Pattern[str] | None", what: str, default: str | None = None) -> str:
        value = self.raw.get(name, default)
        if not isinstance(value, str) or (form is not None and not form.fullmatch(value)):
            raise self.wrong(name, f"is {value!r:.80}; it must be {what or 'a text'}")
        return value

    def list(self, name: str) -> Iterable[str]:
        value = self.raw.get(name, [])
        if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
            raise self.wrong(name, "must be a list of texts")
        return value

    def plain(self, name: str, value: str) -> str:
        if _SECRET.search(value) or "\0" in value:
            raise self.wrong(name, "every user of the machine can read it; give the secret in env")
        return value

    def texts(self, name: str, form: "re.Pattern[str]") -> dict[str, str]:
        value = self.raw.get(name, {})
        if not isinstance(value, Mapping):
            raise self.wrong(name, "must be an object of texts")
        for key, each in value.items():
            if not form.fullmatch(str(key)) or not isinstance(each, str) or "\0" in each or "\n" in each:
                raise self.wrong(f"{name}.{key}", "is no name with a text of one line")
            if "${{" in _SECRET.sub("", each):
                raise self.wrong(f"{name}.{key}", "may hold ${{secrets.NAME}} and no other expression")
        return dict(value)

    def address(self, value: str) -> str:
        parts = urlsplit(self.plain("url", value))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise self.wrong("url", f"is {value!r:.80}; it must begin with http:// or https://")
        if parts.username or parts.password:
            raise self.wrong("url", "must hold no password; send it in headers, as ${{secrets.NAME}}")
        return value

    def seconds(self, name: str, default: float) -> float:
        try:
            value = parse_duration(self.raw.get(name, default))
        except ValueError as error:
            raise self.wrong(name, str(error)) from None
        if not 0 < value <= 86_400:
            raise self.wrong(name, "must be more than nothing and at most a day")
        return value
