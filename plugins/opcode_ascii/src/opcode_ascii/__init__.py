"""Workflows drawn as text."""
