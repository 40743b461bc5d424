"""The engine: commands in, events out, answers back."""
