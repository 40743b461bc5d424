"""Runs migrations on the connection that `opcode_sql.schema.upgrade` gives."""

from alembic import context

from opcode_sql.schema import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
