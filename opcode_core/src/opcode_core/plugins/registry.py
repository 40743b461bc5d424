"""What all plugins together add, by name."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from opcode_core.contracts.action import Action
from opcode_core.contracts.expression import ExpressionEngine
from opcode_core.contracts.isolator import Isolator
from opcode_core.contracts.observer import Observer
from opcode_core.contracts.provider import ActionProvider, ProviderSource, ReportingProvider
from opcode_core.contracts.renderer import Renderer
from opcode_core.contracts.runner import Runner
from opcode_core.contracts.storage import Storage
from opcode_core.contracts.trigger import Trigger
from opcode_core.contracts.vault import StoredVault, Vault
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.schemas import Schema

StorageFactory = Callable[[str], Storage]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Collision:
    """Two plugins offer the same name, so it is not clear whose is meant."""

    kind: str
    name: str
    first: str
    second: str

    def __str__(self) -> str:
        return (
            f"{self.kind} '{self.name}' is offered by both {self.first} and {self.second}; deny one of them"
        )


@dataclass(slots=True)
class Registry:
    """Names to things. Filled at start, then only read, but for the actions of providers.

    Attributes:
        sources: for each kind and name, the plugin that it comes from.
        collisions: names that more than one plugin offers.
    """

    actions: dict[str, Action] = field(default_factory=dict)
    engines: dict[str, ExpressionEngine] = field(default_factory=dict)
    storages: dict[str, StorageFactory] = field(default_factory=dict)
    isolators: dict[str, Isolator] = field(default_factory=dict)
    renderers: dict[str, Renderer] = field(default_factory=dict)
    runners: dict[str, Runner] = field(default_factory=dict)
    vaults: list[Vault | StoredVault] = field(default_factory=list)
    providers: dict[str, ActionProvider] = field(default_factory=dict)
    provider_sources: list[ProviderSource] = field(default_factory=list)
    triggers: dict[str, Trigger] = field(default_factory=dict)
    observers: list[Observer] = field(default_factory=list)
    sources: dict[tuple[str, str], str] = field(default_factory=dict)
    collisions: list[Collision] = field(default_factory=list)
    _schemas: dict[int, tuple[Action, Schema]] = field(default_factory=dict)

    def add_actions(self, actions: Iterable[Action], plugin: str) -> None:
        """Add actions under their names and aliases."""
        for action in actions:
            for name in (action.name, *action.aliases):
                self._add("action", self.actions, name, action, plugin)

    def add_engines(self, engines: Iterable[ExpressionEngine], plugin: str) -> None:
        """Add expression engines."""
        for engine in engines:
            self._add("expression engine", self.engines, engine.name, engine, plugin)

    def add_storages(self, storages: Mapping[str, StorageFactory], plugin: str) -> None:
        """Add storages by URL scheme."""
        for scheme, factory in storages.items():
            self._add("storage", self.storages, scheme, factory, plugin)

    def add_isolators(self, isolators: Iterable[Isolator], plugin: str) -> None:
        """Add isolators."""
        for isolator in isolators:
            self._add("isolator", self.isolators, isolator.name, isolator, plugin)

    def add_renderers(self, renderers: Iterable[Renderer], plugin: str) -> None:
        """Add diagram renderers by format."""
        for renderer in renderers:
            self._add("diagram renderer", self.renderers, renderer.format, renderer, plugin)

    def add_runners(self, runners: Iterable[Runner], plugin: str) -> None:
        """Add runners."""
        for runner in runners:
            self._add("runner", self.runners, runner.name, runner, plugin)

    def add_providers(self, providers: Iterable[ActionProvider | ProviderSource], plugin: str) -> None:
        """Add action providers, and those who remember further ones."""
        for provider in providers:
            if isinstance(provider, ProviderSource):
                self.provider_sources.append(provider)
            else:
                self._add("action provider", self.providers, provider.id, provider, plugin)

    def replace_providers(self, source: ProviderSource, providers: Iterable[ActionProvider]) -> None:
        """Let these be all the providers of `source`; an id that another plugin has stays with that one."""
        kind = "action provider"
        for name in [
            key[1] for key, plugin in self.sources.items() if key[0] == kind and plugin == source.name
        ]:
            del self.providers[name], self.sources[kind, name]
        for provider in providers:
            if (kind, provider.id) not in self.sources:
                self.providers[provider.id] = provider
                self.sources[kind, provider.id] = source.name

    def add_triggers(self, triggers: Iterable[Trigger], plugin: str) -> None:
        """Add kinds of triggers."""
        for trigger in triggers:
            self._add("trigger", self.triggers, trigger.name, trigger, plugin)

    def add_vaults(self, vaults: Sequence[Vault | StoredVault], plugin: str) -> None:
        """Add vaults; the first is used."""
        for vault in vaults:
            if self.vaults:
                self.collisions.append(Collision("vault", "vault", self.sources["vault", "vault"], plugin))
            else:
                self.vaults.append(vault)
                self.sources["vault", "vault"] = plugin

    def action(self, name: str) -> Action | None:
        """The action of that name, or None."""
        found = self.actions.get(name)
        if found is not None:
            return found
        provider = self.provider_of(name)
        if provider is None:
            return None
        found = next((action for action in provider.actions() if action.name == name), None)
        if found is None and isinstance(provider, ReportingProvider):
            return provider.stand_in(name)
        return found

    def was_provided(self, name: str) -> bool:
        """Whether an action of that name comes, or once came, from a provider."""
        prefix = name.partition(".")[0]
        retired = any(prefix in source.retired for source in self.provider_sources)
        return self.provider_of(name) is not None or (retired and name not in self.actions)

    def check_prefix(self, provider_id: str) -> None:
        """Refuse an id for a provider whose actions would hide behind those of a plugin.

        Raises:
            OpcodeError: CONFLICT naming one of them.
        """
        taken = next((name for name in self.actions if name.partition(".")[0] == provider_id), None)
        if taken is not None:
            what = f"the id '{provider_id}' is taken: there is an action {taken} of {self.sources['action', taken]}"
            raise OpcodeError(ErrorCode.CONFLICT, f"{what}; choose another id")

    def provider_of(self, name: str) -> ActionProvider | None:
        """The provider that an action's name points to, unless a plugin has an action of that name itself."""
        return None if name in self.actions else self.providers.get(name.partition(".")[0])

    def conflict(self, kind: str, name: str) -> str | None:
        """Why that name cannot be used, or None when one plugin at most offers it."""
        return next((str(c) for c in self.collisions if c.kind == kind and c.name == name), None)

    def schema(self, action: Action) -> Schema:
        """The action's params schema, made once."""
        known = self._schemas.get(id(action))
        if known is None:
            known = self._schemas[id(action)] = (action, Schema(action.params_schema))
        return known[1]

    def engine(self, name: str) -> ExpressionEngine | None:
        """The expression engine of that name, or None."""
        return self.engines.get(name)

    def action_names(self) -> Sequence[str]:
        """All names of actions, sorted."""
        names = set(self.actions)
        for provider in self.providers.values():
            names.update(action.name for action in provider.actions())
        return sorted(names)

    def offers(self, plugin: str) -> dict[str, list[str]]:
        """What one plugin added, by kind."""
        found: dict[str, list[str]] = {}
        for (kind, name), source in self.sources.items():
            if source == plugin:
                found.setdefault(kind, []).append(name)
        return found

    def _add(self, kind: str, table: dict[str, T], name: str, thing: T, plugin: str) -> None:
        kept = self.sources.setdefault((kind, name), plugin)
        if name in table:
            self.collisions.append(Collision(kind, name, kept, plugin))
        else:
            table[name] = thing
