"""Finding plugins with stevedore, asking them with pluggy."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pluggy

from opcode_core.plugins import hookspecs
from opcode_core.plugins.registry import Registry

if TYPE_CHECKING:
    from opcode_core.engine.engine import Engine

GROUP = "opcode.plugins"
_log = logging.getLogger("opcode.plugins")


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin that is installed.

    Attributes:
        name: of its entry point.
        package: the distribution that it comes from, with its version.
        state: `active`, `denied` by the settings, or `broken`.
        error: why it is broken, else empty.
    """

    name: str
    package: str
    state: str
    error: str = ""


class PluginManager:
    """All plugins of this program.

    Args:
        allow: only these, when given.
        deny: not these.
        discover: look for installed ones; False leaves only what `register` is given.
    """

    def __init__(
        self, *, allow: Sequence[str] | None = None, deny: Sequence[str] = (), discover: bool = True
    ) -> None:
        self.pluggy = pluggy.PluginManager(hookspecs.PROJECT)
        self.pluggy.add_hookspecs(hookspecs)
        self.found: dict[str, Found] = {}
        self._allow = allow
        self._deny = frozenset(deny)
        if discover:
            self._discover()

    def register(self, plugin: object, name: str, package: str = "") -> None:
        """Add a plugin: a module or an object with hook implementations."""
        if name in self.found:
            why = f"the name '{name}' is already taken by {self.found[name].package or 'another plugin'}"
            self._broken(f"{name} ({package})", package, ValueError(why))
            return
        try:
            self.pluggy.register(plugin, name)
            self.pluggy.check_pending()
        except Exception as error:
            self._broken(name, package, error)
        else:
            self.found[name] = Found(name, package, "active")

    @cached_property
    def _registry(self) -> Registry:
        registry = Registry()
        from opcode_core import builtins

        builtins.add_to(registry)
        adders: tuple[tuple[str, Callable[[Any, str], None]], ...] = (
            ("opcode_actions", registry.add_actions),
            ("opcode_expression_engines", registry.add_engines),
            ("opcode_storage_backends", registry.add_storages),
            ("opcode_isolators", registry.add_isolators),
            ("opcode_diagram_renderers", registry.add_renderers),
            ("opcode_vaults", registry.add_vaults),
            ("opcode_runners", registry.add_runners),
            ("opcode_action_providers", registry.add_providers),
            ("opcode_triggers", registry.add_triggers),
            ("opcode_observers", lambda observers, _: registry.observers.extend(observers)),
        )
        for hook, add in adders:
            for name, answer in self.ask(hook):
                try:
                    add(answer, name)
                except Exception as error:
                    self._broken(name, self.found[name].package, error)
        for collision in registry.collisions:
            _log.warning("%s", collision)
        return registry

    def registry(self) -> Registry:
        """What all plugins add, asked once. A plugin whose hook raises is set aside as broken."""
        return self._registry

    def services(self, engine: "Engine") -> list[Any]:
        """The services that plugins run beside `engine`."""
        return [service for _, answer in self.ask("opcode_services", engine=engine) for service in answer]

    def ask(self, hook: str, **arguments: Any) -> Iterable[tuple[str, Any]]:
        """Each plugin's answer to one hook, with its name, in order of registration."""
        caller = getattr(self.pluggy.hook, hook)
        for implementation in caller.get_hookimpls():
            name = implementation.plugin_name
            try:
                given = {key: arguments[key] for key in implementation.argnames}
                answer = implementation.function(**given)
            except Exception as error:
                self._broken(name, self.found[name].package if name in self.found else "", error)
            else:
                if answer is not None:
                    yield name, answer

    def _discover(self) -> None:
        from importlib.metadata import entry_points

        from stevedore import NamedExtensionManager

        wanted: list[str] = []
        packages: dict[tuple[str, str], str] = {}  # stevedore's cache forgets where an entry point is from
        for entry_point in entry_points(group=GROUP):
            name, package = entry_point.name, _package_of(entry_point)
            packages[name, entry_point.value] = package
            if self._denied(name):  # not even imported
                self.found[name] = Found(name, package, "denied")
            else:
                wanted.append(name)

        def failed(_: Any, entry_point: Any, error: BaseException) -> None:
            self._broken(entry_point.name, packages.get((entry_point.name, entry_point.value), ""), error)

        for name in sorted(set(wanted)):
            try:
                extensions = list(NamedExtensionManager(GROUP, [name], on_load_failure_callback=failed))
            except (AssertionError, SystemExit) as error:  # stevedore passes these on
                package = next(package for (known, _), package in packages.items() if known == name)
                self._broken(name, package, error)
                continue
            for extension in extensions:
                package = packages.get((name, extension.entry_point.value), "")
                self.register(extension.plugin, name, package)

    def _denied(self, name: str) -> bool:
        return name in self._deny or (self._allow is not None and name not in self._allow)

    def _broken(self, name: str, package: str, error: BaseException) -> None:
        why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        self.found[name] = Found(name, package, "broken", why)
        _log.warning("plugin %s is broken and left out: %s", name, why)
        if self.pluggy.has_plugin(name):
            self.pluggy.unregister(name=name)


def _package_of(entry_point: Any) -> str:
    distribution = getattr(entry_point, "dist", None)
    return f"{distribution.name} {distribution.version}" if distribution else ""
