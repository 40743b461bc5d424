"""OPCODE's action for running commands."""
