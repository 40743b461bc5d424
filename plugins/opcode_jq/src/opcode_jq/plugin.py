"""What this package adds."""
