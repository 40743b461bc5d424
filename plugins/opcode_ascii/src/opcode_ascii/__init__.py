"""Diagrams for terminals: the renderer `ascii`."""
