"""What all isolators say and bound in the same way when a command is started."""

import math
import os
from collections.abc import Iterable
from pathlib import Path

from opcode_core.contracts.isolator import Command
from opcode_core.errors import ErrorCode, OpcodeError

NO_CORE = 1
"""RLIMIT_CORE: at 0 a helper that the kernel pipes dumps into would still get them, at 1 nobody does."""


def cpu_seconds(timeout: float) -> int:
    """RLIMIT_CPU, only for what outlives the kill: as much as all cores could give until the timeout."""
    return (math.ceil(timeout) + 1) * (os.cpu_count() or 1)


def cannot_start(command: Command, error: Exception) -> OpcodeError:
    """Why a command did not start, from what starting it raised, as an EXECUTION_ERROR."""
    name = command.argv[0] if command.argv else ""
    return OpcodeError(
        ErrorCode.EXECUTION_ERROR,
        f"cannot start {name!r}: {_why_not_started(command, error)}",
        details={"command": name},
    )


def cannot_keep(isolator: str, names: Iterable[str], why: str) -> OpcodeError:
    """An ISOLATION_ERROR for limits that an isolator does not keep."""
    limits = sorted(names)
    return OpcodeError(
        ErrorCode.ISOLATION_ERROR,
        f"the {isolator} isolator cannot enforce {', '.join(limits)}: {why}; install an isolator plugin that can "
        "(such as opcode-cgroups, where the machine allows it), or leave the limit out",
        details={"isolator": isolator, "limits": limits},
    )


def _why_not_started(command: Command, error: Exception) -> str:
    if not isinstance(error, OSError):
        return str(error) if command.argv else "the command line is empty"
    reason = os.strerror(error.errno or 0)
    if command.cwd is not None and str(error.filename) == str(command.cwd):
        return f"its working directory {command.cwd}: {reason}"
    if isinstance(error, FileNotFoundError):
        program = command.argv[0]
        if "/" not in program:
            return "there is no such command on the PATH"
        if (command.cwd or Path()).joinpath(program).exists():
            return "the interpreter that its first line names does not exist"
    return reason
