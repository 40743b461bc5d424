"""The errors of this package, made in one place so that they read alike."""

from typing import Any

from opcode_core import ErrorCode, OpcodeError


def invalid(param: str, problem: str) -> OpcodeError:
    """A param that makes no sense. `problem` must not quote what may be a secret."""
    return OpcodeError(ErrorCode.VALIDATION_ERROR, f"{param}: {problem}", details={"param": param})


def denied(problem: str, **details: Any) -> OpcodeError:
    """A request that is not allowed."""
    return OpcodeError(ErrorCode.PERMISSION_DENIED, problem, details=details)


def failed(problem: str, **details: Any) -> OpcodeError:
    """A request that was allowed and did not work."""
    return OpcodeError(ErrorCode.EXECUTION_ERROR, problem, details=details)
