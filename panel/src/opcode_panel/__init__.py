"""The web panel: people watch what agents do, and decide."""
