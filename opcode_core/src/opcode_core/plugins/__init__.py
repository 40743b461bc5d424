"""Finding plugins and collecting what they add."""
