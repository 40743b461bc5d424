"""OPCODE's actions for HTTP."""
