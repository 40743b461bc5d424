"""The `opcode` command."""
