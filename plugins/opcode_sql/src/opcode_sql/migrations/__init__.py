"""How the schema came to be, one step a file.

A new step is written by hand next to the change in `opcode_sql.models`, and its revision is added to
`opcode_sql.schema.REVISIONS`; the tests compare all three. A step that is out in the world never changes.
"""
