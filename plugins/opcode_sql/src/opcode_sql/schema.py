"""Which schema a database has, and how it gets ours. Nothing heavy is imported unless it must change."""

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from opcode_core import ErrorCode, OpcodeError

REVISIONS: Final = ("0001", "0002", "0003")
"""Every revision in `migrations/versions`, in order; a database at the last one is up to date."""
VERSION_TABLE: Final = "schema_version"
MIGRATIONS: Final = Path(__file__).parent / "migrations"


def is_current(db: sqlite3.Connection, path: Path) -> bool:
    """Whether the database has this program's schema; False when it is empty or older.

    Raises:
        OpcodeError: STORE_ERROR when it is newer, or another program's.
        sqlite3.Error: when it cannot be read.
    """
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return False
    if VERSION_TABLE not in tables:
        raise _unusable(
            path, f"it is another program's (tables: {', '.join(sorted(tables)[:5])})", "give another file"
        )
    row = db.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()  # noqa: S608
    version = row[0] if row else None
    if version not in REVISIONS:
        raise _unusable(
            path,
            f"a newer version made it (schema {version}, known up to {REVISIONS[-1]})",
            "upgrade opcode-sql or give another file",
        )
    return bool(version == REVISIONS[-1])


def upgrade(connect: Callable[[], sqlite3.Connection]) -> None:
    """Run the migrations that are missing, all in one transaction.

    Whoever else opens the database meanwhile waits, and then finds nothing to do.

    Args:
        connect: opens one more connection to the database, in autocommit mode.

    Raises:
        sqlite3.Error: when the database cannot be written.
    """
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import NullPool, create_engine
    from sqlalchemy.exc import DBAPIError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    # Else it tells everybody who makes a database which dialect it is in.
    logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)
    try:
        with engine.connect() as connection:
            # SQLite's own lock: the second of two processes waits here.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise error.orig from None
        raise
    finally:
        engine.dispose()


def _unusable(path: Path, why: str, remedy: str) -> OpcodeError:
    return OpcodeError(
        ErrorCode.STORE_ERROR,
        f"the database {path} cannot be used: {why}; {remedy}",
        details={"path": str(path)},
    )
