"""A look at the vault when an engine starts, before a run needs a secret in vain."""

import logging

from opcode_core import Engine, OpcodeError
from opcode_core.hosting import count
from opcode_vault.keys import VARIABLE, passphrase
from opcode_vault.vault import SecretVault

_log = logging.getLogger("opcode.vault")


class Guard:
    """Warns of a missing passphrase, and refuses to start with a wrong one."""

    name = "vault"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def start(self) -> None:
        """Take the passphrase out of the environment, before any action can look there; and try it.

        Only an engine that goes on with whatever runs there are looks further; a single command is told by the step
        that fails.

        Raises:
            OpcodeError: VAULT_ERROR for a wrong passphrase.
        """
        given, vault = passphrase(), self._engine.vault
        if not self._engine.others or not isinstance(vault, SecretVault):
            return
        if not given:
            names = await vault.names()
            stored = f"; {count(len(names), 'secret')} stored" if names else ""
            _log.warning(
                "%s is not set: steps that read ${{secrets.NAME}} fail%s; set it to the passphrase of the vault",
                VARIABLE,
                stored,
            )
        try:
            await vault.verify()
        except OpcodeError as error:
            raise OpcodeError(error.code, f"{error.message}, or none, to start without secrets") from None

    async def stop(self) -> None:
        """Nothing."""
