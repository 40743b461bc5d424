"""Hashes and encodings: the actions crypto.*."""
