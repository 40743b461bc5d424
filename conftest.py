"""Imports the packages before pytest meets the folders of the same names."""

import opcode_core
import opcode_crypto
import opcode_fs
import opcode_http
import opcode_shell

__all__ = ["opcode_core", "opcode_crypto", "opcode_fs", "opcode_http", "opcode_shell"]
