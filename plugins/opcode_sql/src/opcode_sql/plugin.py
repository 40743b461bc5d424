"""What this package adds to OPCODE."""

from collections.abc import Callable

from opcode_core import Storage, hookimpl


def sqlite(url: str) -> Storage:
    """A storage in the SQLite file that `url` names; it is not open yet.

    Raises:
        OpcodeError: VALIDATION_ERROR for a URL without a file or with an unknown parameter.
    """
    from opcode_sql.location import Location
    from opcode_sql.sqlite import SqliteStorage

    return SqliteStorage(Location.from_url(url))


@hookimpl
def opcode_storage_backends() -> dict[str, Callable[[str], Storage]]:
    """The schemes of storage URLs."""
    return {"sqlite": sqlite}
