"""What every command needs: settings, plugins, an engine on the right storage."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from opcode_core.cli.problems import Usage, say
from opcode_core.errors import OpcodeError
from opcode_core.logs import set_up
from opcode_core.plugins.manager import PluginManager
from opcode_core.settings import Settings, load_settings
from opcode_core.suggestions import available

if TYPE_CHECKING:
    from opcode_core.engine.engine import Engine

JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable output on standard output.")


@cache
def settings() -> Settings:
    """The settings of this call; the log goes where they say."""
    context = click.get_current_context(silent=True)
    flags = (context.find_root().obj or {}) if context else {}
    try:
        found = load_settings(flags)
    except OpcodeError as error:
        raise Usage(error.message) from None
    set_up(found.log_level)
    return found


@cache
def plugin_manager() -> PluginManager:
    """All installed plugins that the settings allow."""
    found = settings()
    return PluginManager(allow=found.plugins_allow, deny=found.plugins_deny)


@asynccontextmanager
async def engine() -> AsyncIterator["Engine"]:
    """An engine on the storage of the settings.

    Raises:
        OpcodeError: when the storage cannot be opened.
    """
    from opcode_core.engine.engine import Engine

    plugins = plugin_manager()
    storages = plugins.registry().storages
    url = settings().storage_url
    scheme = url.partition(":")[0]
    if scheme not in storages:
        if settings().storage:
            raise Usage(f"no installed plugin offers the storage '{scheme}'; {available(sorted(storages))}")
        say("runs are not stored: no storage is installed (pip install opcode-sql)")
        url, scheme = "memory:", "memory"
    async with Engine(storages[scheme](url), plugins, pool_size=settings().pool_size) as ready:
        yield ready


def read_source(name: str) -> bytes | None:
    """The content of a file, or of standard input for `-`; None when there is no such file."""
    if name == "-":
        return sys.stdin.buffer.read()
    path = Path(name)
    if not path.is_file():
        if path.suffix in (".json", ".jsonc") or "/" in name:
            raise Usage(f"there is no file {name}")
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise Usage(f"{name} cannot be read: {error.strerror}") from None


def read_params(pairs: tuple[str, ...], file: str | None) -> dict[str, Any]:
    """`-p key=value` over `--params FILE`; a value is JSON where it is JSON, `@file` is a file's text.

    Raises:
        Usage: for a pair without `=` or a file that cannot be read.
    """
    from opcode_core.codec import loads

    params: dict[str, Any] = {}
    if file is not None:
        body = read_source(file)
        try:
            params = loads(body or b"")
        except ValueError as error:
            raise Usage(f"--params {file}: not JSON: {error}") from None
        if not isinstance(params, dict):
            raise Usage(f"--params {file} must hold a JSON object")
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise Usage(f"-p {pair!r}: write key=value")
        params[key] = _value(value)
    return params


def _value(text: str) -> Any:
    from opcode_core.codec import loads

    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Usage(f"{text[1:]} cannot be read: {error}") from None
    try:
        return loads(text)
    except ValueError:
        return text


def print_json(value: Any) -> None:
    """Indented JSON on standard output."""
    import json

    print(
        json.dumps(
            value,
            indent=2,
            ensure_ascii=not (sys.stdout.encoding or "").lower().startswith("utf"),
            default=str,
        )
    )
