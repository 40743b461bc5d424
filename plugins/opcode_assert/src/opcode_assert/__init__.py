"""Assertions: the actions assert.*."""
