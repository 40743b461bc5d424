"""What the engine and its plugins promise each other, one contract a file."""
