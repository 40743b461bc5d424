"""The vault: secrets under AES-256-GCM, on whatever storage the engine has."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from secrets import token_hex
from typing import Any

from opcode_core import ErrorCode, Item, OpcodeError, Storage
from opcode_vault.head import Entry, Head, new_head, read_head
from opcode_vault.keys import ITERATIONS, KEYS, VARIABLE, Passphrase, no_passphrase, passphrase
from opcode_vault.names import check_name, check_value, not_found
from opcode_vault.sealing import Broken, open_sealed, seal

HEADS, HEAD, VALUES = "vault", "head", "vault.values"
"""The shelf of the head and its key there; the shelf of the values."""
TRIES = 50
"""How often others may be quicker before it is given up."""


class InStorage:
    """What this package offers as `opcode_vaults`: for every engine the vault in its storage."""

    def bind(self, storage: Storage) -> "SecretVault":
        """The vault in `storage`."""
        return SecretVault(storage)


class SecretVault:
    """The secrets in one storage. Nothing is cached but the key: what others set is seen at once.

    Args:
        storage: where they are kept.
        passphrase: gives the passphrase, empty for none; that in OPCODE_VAULT_KEY by default.
        iterations: of a vault that is begun.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        passphrase: Passphrase = passphrase,
        iterations: int = ITERATIONS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.storage = storage
        self._passphrase = passphrase
        self._iterations = iterations
        self._now = now

    async def get(self, key: str) -> str:
        """The value.

        Raises:
            OpcodeError: VAULT_ERROR when the passphrase is missing or wrong, or the value was tampered with;
                NOT_FOUND with the nearest name.
        """
        what = f"the secret '{key}' cannot be read"
        for _ in range(TRIES):
            head = await self._head()
            if key not in head.entries and self._passphrase():
                await self.verify(head)
                raise not_found(key, head.entries)
            opened = await self._key(head, what)
            item = await self.storage.item(VALUES, head.entries[key].item)
            if item is not None or head.version == await self._version():
                return self._opened(head, opened, key, item)
        raise _too_busy()

    async def set(self, key: str, value: str) -> None:
        """Store or replace.

        Raises:
            OpcodeError: VALIDATION_ERROR for the name or the value, VAULT_ERROR without the passphrase.
        """
        check_name(key)
        check_value(value)
        for _ in range(TRIES):
            head = await self._head()
            if head.check is None:
                head = replace(new_head(self._iterations), id=head.id, version=head.version)
            opened = await self._key(head, f"the secret '{key}' cannot be stored")
            head = head if head.check else head.locked_by(opened)
            entry = await self._put_value(head, opened, key, value)
            if await self._swapped(replace(head, entries={**head.entries, key: entry})):
                return
            await self.storage.remove(VALUES, [entry.item])
        raise _too_busy()

    async def delete(self, key: str) -> bool:
        """Remove; whether it was there. Works without a passphrase, for one that was lost, but not with a wrong one."""
        for _ in range(TRIES):
            head = await self._head()
            await self.verify(head)
            if key not in head.entries:
                return False
            left = {name: entry for name, entry in head.entries.items() if name != key}
            if await self._swapped(replace(head, entries=left, check=head.check if left else None)):
                return True
        raise _too_busy()

    async def names(self) -> Sequence[str]:
        """All names, sorted; they are not secret, so no passphrase is needed."""
        return sorted((await self._head()).entries)

    async def entries(self) -> dict[str, float]:
        """When each was set, in seconds since the epoch, by name."""
        return {name: entry.updated_at for name, entry in sorted((await self._head()).entries.items())}

    async def verify(self, head: Head | None = None) -> None:
        """Nothing, when there is no passphrase or nothing to open.

        Raises:
            OpcodeError: VAULT_ERROR for a wrong passphrase.
        """
        head = head or await self._head()
        if head.check is not None and self._passphrase():
            await self._key(head, "the vault cannot be opened")

    async def rotate(self, passphrase: str, iterations: int | None = None) -> int:
        """Let another passphrase open the vault, and the old one no more; how many secrets there are.

        Every value is written anew under the new key, beside the old ones; then the head changes over in one step.
        Whoever dies before that step leaves the vault as it was, whoever dies after it leaves old values that the next
        change removes.

        Args:
            passphrase: the new one; the same is allowed, to make a new key of it.
            iterations: of the new key; never less than the vault has.

        Raises:
            OpcodeError: VAULT_ERROR without the old passphrase, VALIDATION_ERROR for an empty new one,
                NOT_FOUND when there are no secrets.
        """
        if not passphrase:
            raise OpcodeError(ErrorCode.VALIDATION_ERROR, "the new passphrase is empty")
        for _ in range(TRIES):
            old = await self._head()
            if not old.entries:
                what = f"there are no secrets yet; the first that is set takes the passphrase in {VARIABLE}"
                raise OpcodeError(ErrorCode.NOT_FOUND, what)
            opened = await self._key(old, "the vault cannot be rotated")
            rounds = max(iterations or 0, old.iterations, self._iterations)
            new = replace(new_head(rounds), id=old.id, version=old.version)
            key = await KEYS.key(passphrase, new.salt, new.iterations)
            entries = await self._sealed_anew(old, opened, new, key)
            if entries is not None and await self._swapped(replace(new.locked_by(key), entries=entries)):
                return len(entries)
            await self.storage.remove(VALUES, [entry.item for entry in (entries or {}).values()])
        raise _too_busy()

    async def _sealed_anew(self, old: Head, opened: bytes, new: Head, key: bytes) -> dict[str, Entry] | None:
        """Every value under the new key; None when another process changes the vault meanwhile."""
        entries: dict[str, Entry] = {}
        for name, entry in old.entries.items():
            item = await self.storage.item(VALUES, entry.item)
            if item is None and await self._version() != old.version:
                return None
            value = self._opened(old, opened, name, item)
            made = await self._put_value(new, key, name, value)
            entries[name] = replace(made, updated_at=entry.updated_at)
        return entries

    async def _head(self) -> Head:
        item = await self.storage.item(HEADS, HEAD)
        return new_head(self._iterations) if item is None else read_head(item.value, item.version)

    async def _version(self) -> int:
        item = await self.storage.item(HEADS, HEAD)
        return 0 if item is None else item.version

    async def _key(self, head: Head, what: str) -> bytes:
        """The key of the vault, made of this process's passphrase."""
        given = self._passphrase()
        if not given:
            raise no_passphrase(what)
        key = await KEYS.key(given, head.salt, head.iterations)
        if head.check is not None and not head.fits(key):
            raise OpcodeError(
                ErrorCode.VAULT_ERROR,
                f"{what}: the passphrase in {VARIABLE} is not that of the vault, or no longer;"
                " set the one that it was made or last rotated with",
            )
        return key

    def _opened(self, head: Head, key: bytes, name: str, item: Item | None) -> str:
        try:
            if item is None:
                raise Broken
            return open_sealed(key, item.value.get("sealed"), head.about(name, item.key))
        except (Broken, AttributeError):
            raise OpcodeError(
                ErrorCode.VAULT_ERROR,
                f"the stored value of the secret '{name}' is damaged or was exchanged;"
                f" set it again: opcode secret set {name}",
            ) from None

    async def _put_value(self, head: Head, key: bytes, name: str, value: str) -> Entry:
        """Write a value that no head names yet. It notes for which head, so that it can be known as left over."""
        item, now = token_hex(16), self._now()
        sealed = seal(key, value, head.about(name, item))
        await self.storage.put(VALUES, item, {"for": head.version + 1, "sealed": sealed}, now, version=0)
        return Entry(item, now)

    async def _swapped(self, head: Head) -> bool:
        """Whether `head` took the place of the one that it was made from; then what nobody names any more goes."""
        try:
            item = await self.storage.put(HEADS, HEAD, head.to_json(), self._now(), version=head.version)
        except OpcodeError as error:
            if error.code is ErrorCode.CONFLICT:
                return False
            raise
        with suppress(OpcodeError):  # the change is done; what is left over goes with the next one
            await self._clear(head, item.version)
        return True

    async def _clear(self, head: Head, version: int) -> None:
        """Delete values that neither this head names nor a later one can: those that were written for heads up to it."""
        named = {entry.item for entry in head.entries.values()}
        cursor: str | None = None
        while True:
            page = await self.storage.items(VALUES, cursor=cursor)
            over = [
                item.key for item in page.items if item.key not in named and _made_for(item.value) <= version
            ]
            await self.storage.remove(VALUES, over)
            cursor = page.cursor
            if cursor is None:
                return


def _made_for(value: Any) -> int:
    """The version of the head that was to name a value; 0, so none that can still come, of what is no value."""
    try:
        return int(value["for"])
    except (KeyError, TypeError, ValueError):
        return 0


def _too_busy() -> OpcodeError:
    return OpcodeError(
        ErrorCode.VAULT_ERROR,
        "others keep changing the vault at the same time; try again",
        details={"busy": True},
    )
