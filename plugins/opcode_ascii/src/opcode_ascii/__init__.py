"""Workflows drawn as text."""




