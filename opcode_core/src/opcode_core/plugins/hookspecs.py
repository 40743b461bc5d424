"""Everything that a plugin can add, on one page."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import click

    from opcode_core.contracts.action import Action
    from opcode_core.contracts.expression import ExpressionEngine
    from opcode_core.contracts.isolator import Isolator
    from opcode_core.contracts.observer import Observer
    from opcode_core.contracts.provider import ActionProvider, ProviderSource
    from opcode_core.contracts.renderer import Renderer
    from opcode_core.contracts.runner import Runner
    from opcode_core.contracts.service import Service
    from opcode_core.contracts.trigger import Trigger
    from opcode_core.contracts.vault import StoredVault, Vault
    from opcode_core.engine.engine import Engine
    from opcode_core.plugins.registry import StorageFactory

PROJECT = "opcode"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def opcode_actions() -> "Sequence[Action]":  # type: ignore[empty-body]
    """Actions that steps can name. Make them with `opcode_core.action`."""


@hookspec
def opcode_expression_engines() -> "Sequence[ExpressionEngine]":  # type: ignore[empty-body]
    """Expression languages, each under its `name`; guards and templates use the one named `cel`."""


@hookspec
def opcode_storage_backends() -> "dict[str, StorageFactory]":  # type: ignore[empty-body]
    """Storages by URL scheme: a function from the URL to a Storage that is not yet open."""


@hookspec
def opcode_isolators() -> "Sequence[Isolator]":  # type: ignore[empty-body]
    """Isolators; the strongest whose `probe()` says that it works here is used."""


@hookspec
def opcode_diagram_renderers() -> "Sequence[Renderer]":  # type: ignore[empty-body]
    """Diagram renderers, each for its `format`."""


@hookspec
def opcode_vaults() -> "Sequence[Vault | StoredVault]":  # type: ignore[empty-body]
    """Where secrets live; at most one plugin may answer. One with `bind` is given the engine's storage."""


@hookspec
def opcode_runners() -> "Sequence[Runner]":  # type: ignore[empty-body]
    """Where actions' bodies execute; the settings name which, in this process by default."""


@hookspec
def opcode_action_providers() -> "Sequence[ActionProvider | ProviderSource]":  # type: ignore[empty-body]
    """Sources of actions that come and go, such as other programs' tools; or who remembers such sources."""


@hookspec
def opcode_services(engine: "Engine") -> "Sequence[Service]":  # type: ignore[empty-body]
    """Parts that live as long as `engine`, which is not yet started when this is asked."""


@hookspec
def opcode_triggers() -> "Sequence[Trigger]":  # type: ignore[empty-body]
    """What may stand in a template's `triggers`: each kind under its `name`."""


@hookspec
def opcode_routes(app: Any) -> None:
    """Add routes to the HTTP application `app`, when there is one."""


@hookspec
def opcode_commands(cli: "click.Group") -> None:
    """Add subcommands to the command line `cli`."""


@hookspec
def opcode_observers() -> "Sequence[Observer]":  # type: ignore[empty-body]
    """Observers, told of each committed batch of events."""
