"""Runs migrations on the connection that `opcode_sql.schema.upgrade` gives.

To write a new one, change the models and run `make migration` (see the README of this package).
"""

from alembic import context

from opcode_sql.schema import VERSION_TABLE

metadata = None
if context.config.cmd_opts is not None:  # alembic's own command line, which compares with the models
    from opcode_sql.models import Table

    metadata = Table.metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
context.run_migrations()
