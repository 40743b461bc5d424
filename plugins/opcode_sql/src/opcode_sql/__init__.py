"""OPCODE's runs in a SQL database."""
