"""A process that changes a vault, and kills itself (SIGKILL) where it is told to, or when its parent does.

vault_child.py FILE PASSPHRASE COMMAND ARGUMENT…, with KILL_AT=n: at the n-th moment before or after a storage's call.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from vault_workbench import File

from opcode_core import ErrorCode, OpcodeError


class Mortal:
    """A storage in whose calls one may die."""

    def __init__(self, storage, kill_at):
        self._storage = storage
        self._left = kill_at

    def __getattr__(self, name):
        call = getattr(self._storage, name)

        async def counted(*arguments, **options):
            self._tick()
            given = await call(*arguments, **options)
            self._tick()
            return given

        return counted

    def _tick(self):
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


async def main(path, passphrase, command, *arguments):
    file = File(Path(path))
    vault = await file.vault(passphrase)
    vault.storage = Mortal(vault.storage, int(os.environ.get("KILL_AT", "0")))
    print("ready", flush=True)
    sys.stdin.readline()
    match command:
        case "rotate":
            await vault.rotate(arguments[0])
        case "set":
            await vault.set(*arguments)
        case "delete":
            await vault.delete(*arguments)
        case "set-many":  # and read each back: whatever else goes on, what was set is there
            prefix, number = arguments
            for i in range(int(number)):
                await vault.set(f"{prefix}{i}", f"value of {prefix}{i}")
                assert await vault.get(f"{prefix}{i}") == f"value of {prefix}{i}"
        case "set-same":
            for i in range(int(arguments[1])):
                await vault.set("SAME", f"{arguments[0]}{i}")
                assert await vault.get("SAME")
        case "rotate-often":  # to and fro, as the only one who does
            name, number = arguments
            for i in range(int(number)):
                here, there = (name, passphrase) if i % 2 else (passphrase, name)
                vault._passphrase = lambda here=here: here
                await vault.rotate(there)
        case "read-often":
            one, two, number = arguments
            for i in range(int(number)):
                try:
                    vault._passphrase = lambda given=(one, two)[i % 2]: given
                    assert await vault.get("A") == "value of A"
                except OpcodeError as error:
                    assert error.code is ErrorCode.VAULT_ERROR
                    assert "is not that of the vault" in error.message, error.message
    await file.close()
    print("done", flush=True)


asyncio.run(main(*sys.argv[1:]))
