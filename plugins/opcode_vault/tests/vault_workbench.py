"""Vaults on SQLite files, with a key that is quickly made, and the rows below them."""

import json
import sqlite3
from contextlib import closing

from opcode_sql.plugin import sqlite
from opcode_vault.vault import SecretVault

FEW = 1_000
"""Rounds that a test can wait for; what `opcode secret` does is tested with the real number."""


class File:
    """A SQLite file with a vault in it."""

    def __init__(self, path):
        self.path = path
        self._open = []

    async def vault(self, passphrase="correct horse", iterations=FEW, **options):
        """One more, as another process would have it."""
        storage = sqlite(f"sqlite:///{self.path}?durability=normal")
        await storage.open()
        self._open.append(storage)
        return SecretVault(storage, passphrase=lambda: passphrase, iterations=iterations, **options)

    async def close(self):
        for storage in self._open:
            await storage.close()

    def sql(self, statement, *values):
        with closing(sqlite3.connect(self.path)) as db, db:
            return db.execute(statement, values).fetchall()

    def head(self):
        ((text,),) = self.sql("SELECT value FROM items WHERE shelf = 'vault'")
        return json.loads(text)

    def write_head(self, head):
        self.sql("UPDATE items SET value = ? WHERE shelf = 'vault'", json.dumps(head))

    def value(self, name):
        """The row of a secret: its key, and what is in it."""
        item = self.head()["secrets"][name][0]
        ((text,),) = self.sql("SELECT value FROM items WHERE shelf = 'vault.values' AND key = ?", item)
        return item, json.loads(text)

    def write_value(self, item, value):
        self.sql(
            "UPDATE items SET value = ? WHERE shelf = 'vault.values' AND key = ?", json.dumps(value), item
        )

    def values(self):
        return {key for (key,) in self.sql("SELECT key FROM items WHERE shelf = 'vault.values'")}

    def bytes(self):
        """Of the file with its companions."""
        return b"".join(path.read_bytes() for path in sorted(self.path.parent.glob(self.path.name + "*")))


async def contents(vault):
    """All secrets, opened."""
    return {name: await vault.get(name) for name in await vault.names()}
