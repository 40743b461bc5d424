"""A provider: a source of actions that come and go while the program runs."""

from collections.abc import Callable, Sequence
from typing import Protocol

from opcode_core.contracts.action import Action


class ActionProvider(Protocol):
    """Offers actions under its own prefix, and says when they change."""

    id: str

    def actions(self) -> Sequence[Action]:
        """What it offers now; each name begins with `<id>.`."""
        ...

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever `actions()` would answer differently."""
        ...
