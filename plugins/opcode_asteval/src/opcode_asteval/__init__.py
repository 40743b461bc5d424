"""OPCODE's expression engine python: expressions only, in a guarded process."""
