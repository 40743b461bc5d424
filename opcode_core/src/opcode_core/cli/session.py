"""What every command needs: settings, plugins, an engine on the right storage."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import click

from opcode_core.cli.problems import Usage, say
from opcode_core.errors import OpcodeError
from opcode_core.logs import set_up
from opcode_core.plugins.manager import PluginManager
from opcode_core.settings import Settings, load_settings, put_in_use
from opcode_core.suggestions import available

if TYPE_CHECKING:
    from opcode_core.contracts.provider import Provided
    from opcode_core.engine.engine import Engine
    from opcode_core.plugins.registry import Registry

JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable output on standard output.")
MEMORY = "memory:"
LEAVING = 1.0
"""Seconds in which what still goes on at the end of a command comes to rest."""


@cache
def settings() -> Settings:
    """The settings of this call; the log goes where they say.

    Raises:
        Usage: naming the setting that is wrong.
    """
    context = click.get_current_context(silent=True)
    flags = dict(context.find_root().params) if context else {}
    if flags.get("db_path"):
        flags["storage"] = ""  # a flag goes over OPCODE_STORAGE
    try:
        found = load_settings(flags)
    except OpcodeError as error:
        raise Usage(error.message) from None
    set_up(found.log_level)
    put_in_use(found)
    return found


@cache
def plugin_manager() -> PluginManager:
    """All installed plugins that the settings allow."""
    found = settings()
    return PluginManager(allow=found.plugins_allow, deny=found.plugins_deny)


@cache
def registry() -> "Registry":
    """All that the plugins add."""
    return plugin_manager().registry()


def how_to_get(plugin: str) -> str:
    """What to do when a built-in plugin's part is missing, by the reason why it is."""
    found = plugin_manager().found.get(plugin)
    if found is None:
        return f"pip install opcode-{plugin}"
    if found.state == "broken":
        return f"the plugin {plugin} is broken: {found.error}"
    return f"the settings leave out the plugin {plugin}"


def lasting_storage() -> str | None:
    """The URL of the storage in the settings; None when there is none and nobody asked for one.

    Raises:
        Usage: when the settings name one that nothing offers, or that two plugins do.
    """
    url = settings().storage_url
    scheme = url.partition(":")[0]
    conflict = registry().conflict("storage", scheme)
    if conflict:
        raise Usage(conflict)
    if scheme in registry().storages:
        return url
    if settings().storage:
        offered = available(sorted(registry().storages))
        raise Usage(f"no installed plugin offers the storage '{scheme}'; {offered}")
    return None


def storage_exists() -> bool:
    """Whether the storage of the settings may hold anything: looking into it must not make a new file."""
    url = settings().storage_url
    if not url.startswith("sqlite:"):
        return True
    return Path(unquote(url.partition("?")[0].removeprefix("sqlite:///"))).exists()


def recall_providers() -> None:
    """Let the registry know the action providers that the storage and the settings name."""
    if registry().provider_sources and (storage_exists() or settings().tools):
        import asyncio  # not for `opcode --help`

        asyncio.run(providers_recalled())


async def providers_recalled() -> None:
    """The same where a loop runs already."""
    if storage_exists() and lasting_storage() is not None:
        try:
            async with engine():
                """It does so when it opens."""
        except OpcodeError as error:
            say(f"it is not known which tool servers there are: {error}")
        return
    from opcode_core.memory import MemoryStorage

    for source in registry().provider_sources:
        registry().replace_providers(source, await source.recall(MemoryStorage()))


def providers() -> "list[Provided]":
    """Every action provider that the storage and the settings name, and how it is; looking changes nothing.

    Raises:
        OpcodeError: when the storage cannot be read.
    """
    if not registry().provider_sources or not (storage_exists() or settings().tools):
        return []
    import asyncio  # not for `opcode --help`

    return asyncio.run(_providers())


async def _providers() -> "list[Provided]":
    sources = registry().provider_sources
    if storage_exists() and lasting_storage() is not None:
        async with engine() as ready:
            return [each for source in sources for each in await source.overview(ready.storage)]
    from opcode_core.memory import MemoryStorage

    return [each for source in sources for each in await source.overview(MemoryStorage())]


@asynccontextmanager
async def engine() -> AsyncIterator["Engine"]:
    """An engine for questions: it is on the storage of the settings, and drives and owns nothing.

    Raises:
        Usage: when there is no storage.
        OpcodeError: when it cannot be opened.
    """
    ready = _engine(None)
    await ready.storage.open()
    try:
        await ready.recall_providers()
        yield ready
    finally:
        await ready.storage.close()


@asynccontextmanager
async def driving(url: str | None = None, **options: Any) -> AsyncIterator["Engine"]:
    """An engine that drives the runs which it is told to, on the storage at `url` or that of the settings.

    Raises:
        Usage: when there is no storage.
        OpcodeError: when it cannot be opened.
    """
    ready = _engine(url, **options)
    await ready.start_up()
    try:
        yield ready
    finally:
        await ready.shut_down(LEAVING)


def _engine(url: str | None, **options: Any) -> "Engine":
    from opcode_core.engine.engine import Engine

    found, url = settings(), url or lasting_storage()
    if url is None:
        raise Usage(f"nothing is remembered here, for no storage is installed ({how_to_get('sql')})")
    storage = registry().storages[url.partition(":")[0]](url)
    return Engine(
        storage,
        plugin_manager(),
        paths=found.paths,
        network=found.network,
        breaker_policies=found.breakers,
        **{"pool_size": found.pool_size, "recovery": found.recovery, "others": False, **options},
    )
