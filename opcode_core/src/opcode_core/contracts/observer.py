"""An observer: told of every batch of events once it is committed."""

from collections.abc import Sequence
from typing import Protocol

from opcode_core.events import Event


class Observer(Protocol):
    """For metrics and tracing. It must be quick; what it raises is logged and changes nothing."""

    def committed(self, events: Sequence[Event]) -> None:
        """These events are in the log."""
        ...
