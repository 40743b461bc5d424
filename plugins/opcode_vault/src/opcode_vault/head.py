"""The head of a vault: the one item that says how it is opened and which values are in it.

Values are items of their own that never change. Whatever changes the vault writes new values first, and then this
head, under compare-and-swap: so each state of the vault is one version of one item, and no two keys are ever mixed.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from secrets import token_hex
from typing import Any

from opcode_core import ErrorCode, OpcodeError
from opcode_vault.keys import ITERATIONS, MOST_ITERATIONS
from opcode_vault.sealing import Broken, open_sealed, seal

FORMAT = 1
SALT = 16
_CHECK = "opcode"


@dataclass(frozen=True, slots=True)
class Entry:
    """One secret: the item that holds its value, and when it was set, in seconds since the epoch."""

    item: str
    updated_at: float


@dataclass(frozen=True, slots=True)
class Head:
    """What is known about a vault.

    Attributes:
        id: of the vault, bound into everything in it.
        salt, iterations: how the key is made of the passphrase.
        check: a known text under that key; None while nothing is, so that any passphrase may begin.
        entries: the secrets by name.
        version: of the item that this was read from, 0 when there was none.
    """

    id: str
    salt: bytes = b""
    iterations: int = ITERATIONS
    check: Mapping[str, str] | None = None
    entries: Mapping[str, Entry] = field(default_factory=dict)
    version: int = 0

    def locked_by(self, key: bytes) -> "Head":
        """The same with a check for `key`."""
        return replace(self, check=seal(key, _CHECK, self._about_check()))

    def fits(self, key: bytes) -> bool:
        """Whether it is the key of this vault."""
        try:
            return open_sealed(key, self.check, self._about_check()) == _CHECK
        except Broken:
            return False

    def about(self, name: str, item: str) -> list[Any]:
        """What a value is bound to: its name, its vault and its place."""
        return [FORMAT, "value", self.id, name, item]

    def _about_check(self) -> list[Any]:
        return [FORMAT, "check", self.id, self.salt.hex(), self.iterations]

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "format": FORMAT,
            "id": self.id,
            "salt": b64encode(self.salt).decode(),
            "iterations": self.iterations,
            "check": self.check,
            "secrets": {name: [entry.item, entry.updated_at] for name, entry in self.entries.items()},
        }


def new_head(iterations: int) -> Head:
    """An empty vault."""
    return Head(token_hex(8), os.urandom(SALT), iterations)


def read_head(value: Any, version: int) -> Head:
    """What `to_json` gave.

    Raises:
        OpcodeError: VAULT_ERROR when it is not that.
    """
    try:
        if value["format"] != FORMAT:
            raise OpcodeError(
                ErrorCode.VAULT_ERROR,
                f"the vault was written by another version of opcode-vault (format {value['format']!r:.20})",
            )
        head = Head(
            id=str(value["id"]),
            salt=b64decode(value["salt"], validate=True),
            iterations=int(value["iterations"]),
            check=value["check"],
            entries={name: Entry(item, at) for name, (item, at) in value["secrets"].items()},
            version=version,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged() from error
    if not 0 < head.iterations <= MOST_ITERATIONS or (head.entries and head.check is None):
        raise _damaged()
    return head


def _damaged() -> OpcodeError:
    return OpcodeError(ErrorCode.VAULT_ERROR, "the vault's head is damaged; take the database from a backup")
