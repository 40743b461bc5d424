"""A vault: where secrets live."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from opcode_core.contracts.storage import Storage


class Vault(Protocol):
    """Secrets by name. Values are read at the moment of a call and kept nowhere else."""

    async def get(self, key: str) -> str:
        """The value.

        Raises:
            OpcodeError: VAULT_ERROR when the vault is locked, NOT_FOUND when there is no such secret.
        """
        ...

    async def set(self, key: str, value: str) -> None:
        """Store or replace."""
        ...

    async def delete(self, key: str) -> bool:
        """Remove; whether it was there."""
        ...

    async def names(self) -> Sequence[str]:
        """All names, sorted."""
        ...


@runtime_checkable
class StoredVault(Protocol):
    """A vault that keeps its secrets in the engine's own storage: each engine is given one of its own."""

    def bind(self, storage: Storage) -> Vault:
        """The vault in `storage`, which may not be open yet."""
        ...
