"""A provider: a source of actions that come and go while the program runs."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from opcode_core.contracts.action import Action
from opcode_core.contracts.storage import Storage

Health = Literal["active", "inactive", "error"]
"""`active`: calls reach it. `inactive`: nobody has started it, or it is starting. `error`: it is down."""


class ActionProvider(Protocol):
    """Offers actions under its own prefix, and says when they change."""

    id: str

    def actions(self) -> Sequence[Action]:
        """What it offers now; each name begins with `<id>.`. The same action is the same object each time."""
        ...

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever `actions()` would answer differently."""
        ...


@runtime_checkable
class ReportingProvider(ActionProvider, Protocol):
    """A provider that can be down, and knows names that it may come to offer."""

    @property
    def health(self) -> tuple[Health, str]:
        """How it is, and why, in a sentence; empty when there is nothing to say."""
        ...

    def stand_in(self, name: str) -> Action | None:
        """An action for a name that is not offered now, whose call says why; None when there is no such action."""
        ...


@dataclass(frozen=True, slots=True)
class WaitingTool:
    """A tool that nobody may call before somebody approved it. What it says of itself is data, not to be trusted.

    Attributes:
        hash: of all that it says of itself; `approve` takes it in place of the name, so that what is approved is
            what was looked at.
        schema: of its params.
    """

    name: str
    why: Literal["new", "changed"]
    description: str
    hash: str = ""
    effect: str = "external"
    schema: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Provided:
    """One provider, as people look at it.

    Attributes:
        id: its name, and the prefix of its actions.
        kind: what it is, as `stdio`, `http` or `sse`.
        where: the command or the address, without secrets.
        origin: `settings` or `added`.
        health, detail: as a provider says it.
        since: seconds since the epoch at which that began, or None.
        pid: its process, or None.
        tools: the names of its approved tools.
        waiting: those that wait for approval.
        environment: names of the variables that it is given.
    """

    id: str
    kind: str
    where: str
    origin: str
    health: Health = "inactive"
    detail: str = ""
    since: float | None = None
    pid: int | None = None
    tools: tuple[str, ...] = ()
    waiting: tuple[WaitingTool, ...] = field(default=())
    environment: tuple[str, ...] = ()


@runtime_checkable
class ProviderSource(Protocol):
    """Providers that people add and remove; what is known about them is remembered in the engine's storage.

    Attributes:
        name: of the plugin.
        retired: ids of providers that were removed; stored workflows may still name their actions.
    """

    name: str

    @property
    def retired(self) -> Collection[str]: ...  # noqa: D102

    async def recall(self, storage: Storage) -> Sequence[ActionProvider]:
        """The providers that are remembered; none of them is started by that."""
        ...

    async def overview(self, storage: Storage) -> Sequence[Provided]:
        """Every provider, also as other processes know it; by id."""
        ...

    async def add(self, storage: Storage, config: Mapping[str, Any]) -> str:
        """Remember another one, and give its id.

        Raises:
            OpcodeError: VALIDATION_ERROR naming the path; CONFLICT when the id is taken.
        """
        ...

    async def remove(self, storage: Storage, provider_id: str) -> None:
        """Forget one. Raises NOT_FOUND; CONFLICT for one that the settings file names."""
        ...

    async def restart(self, storage: Storage, provider_id: str) -> None:
        """Let whoever runs it start it anew. Raises NOT_FOUND."""
        ...

    async def approve(self, storage: Storage, provider_id: str, names: Sequence[str] = ()) -> Sequence[str]:
        """Let waiting tools be called, named by name or hash, all of them when none is; which those were.

        Raises:
            OpcodeError: NOT_FOUND for a provider or a tool that does not wait.
        """
        ...
