"""From a passphrase to a key: slow on purpose, so it is done once and remembered."""

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from opcode_core import ErrorCode, OpcodeError
from opcode_core.hosting import take_variable

if TYPE_CHECKING:
    import asyncio

VARIABLE = "OPCODE_VAULT_KEY"
ITERATIONS = 600_000
"""Rounds of PBKDF2-HMAC-SHA256 of a new vault, about 0.3 s."""
MOST_ITERATIONS = 10_000_000
"""So that a changed number in the database cannot keep a process busy for hours."""
MOST_KEPT = 8

Passphrase = Callable[[], str]


_taken = {VARIABLE: ""}


def passphrase() -> str:
    """That of this process, empty when it has none; once asked for, it is only here and no more in the environment."""
    given = take_variable(VARIABLE)
    if given is not None:
        _taken[VARIABLE] = given
    return _taken[VARIABLE]


def no_passphrase(what: str) -> OpcodeError:
    """Nobody said how the vault is opened."""
    return OpcodeError(
        ErrorCode.VAULT_ERROR, f"{what}: {VARIABLE} is not set; set it to the passphrase of the vault"
    )


class Keys:
    """The keys of this process, each made once, in a thread."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, bytes, int], bytes] = {}
        self._making: dict[tuple[str, bytes, int], asyncio.Future[bytes]] = {}

    async def key(self, passphrase: str, salt: bytes, iterations: int) -> bytes:
        """32 bytes; who asks for one that is just being made waits for it."""
        import asyncio  # not for `opcode --help`

        which = (passphrase, salt, iterations)
        if which in self._made:
            return self._made[which]
        making = self._making.get(which)
        if making is None or making.get_loop() is not asyncio.get_running_loop():
            making = asyncio.ensure_future(asyncio.to_thread(derive, *which))
            self._making[which] = making
            making.add_done_callback(lambda done: self._keep(which, done))
        return await asyncio.shield(making)

    def _keep(self, which: tuple[str, bytes, int], done: "asyncio.Future[bytes]") -> None:
        self._making.pop(which, None)
        if done.cancelled() or done.exception() is not None:
            return
        while len(self._made) >= MOST_KEPT:
            del self._made[next(iter(self._made))]
        self._made[which] = done.result()


def derive(passphrase: str, salt: bytes, iterations: int) -> bytes:
    """PBKDF2-HMAC-SHA256."""
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode("utf-8", "surrogateescape"), salt, iterations, 32)


KEYS = Keys()
