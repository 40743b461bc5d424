"""A trigger: what starts a template's runs without anybody asking for them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from opcode_core.contracts.storage import TemplateRecord
from opcode_core.issues import Issue

if TYPE_CHECKING:
    from opcode_core.engine.engine import Engine


class Trigger(Protocol):
    """One kind of them: `name` is its key in the `triggers` that a template is defined with."""

    name: str

    def faults(self, given: Any) -> Sequence[Issue]:
        """Everything that is wrong with what stands under its key; paths begin there, empty for the whole."""
        ...

    async def defined(self, engine: "Engine", template: TemplateRecord) -> None:
        """A template's next version is stored, with or without this trigger: do as it says from now on.

        It may be told of the same version more than once, and of an older one after a newer one.
        """
        ...
