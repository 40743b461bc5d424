"""OPCODE's expression engine expr: filters, pipes and let, as older workflow files use them."""
