"""OPCODE's vault: secrets under AES-256-GCM."""
