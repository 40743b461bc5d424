"""Imports the packages before pytest meets the folders of the same names, and makes CI's examples repeatable."""

import os

from hypothesis import settings

import opcode_core
import opcode_crypto
import opcode_fs
import opcode_http
import opcode_shell

__all__ = ["opcode_core", "opcode_crypto", "opcode_fs", "opcode_http", "opcode_shell"]

# A change must not fail because of examples that another draw found; local runs go on searching. No timed tests.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "search")
