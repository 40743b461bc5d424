"""OPCODE's expression engine jq, in a guarded process."""
