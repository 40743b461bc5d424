"""What can go wrong: one exception, and the codes that clients see."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self


class ErrorCode(StrEnum):
    """The closed list of error codes. Clients branch on them, so they never change meaning."""

    VALIDATION_ERROR = "VALIDATION_ERROR"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    INVALID_TRANSITION = "INVALID_TRANSITION"
    CYCLE_DETECTED = "CYCLE_DETECTED"
    NON_RETRYABLE = "NON_RETRYABLE"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    ASSERTION_FAILED = "ASSERTION_FAILED"
    PATH_DENIED = "PATH_DENIED"

    EXECUTION_ERROR = "EXECUTION_ERROR"
    TIMEOUT_ERROR = "TIMEOUT_ERROR"
    STEP_FAILED = "STEP_FAILED"
    CANCELLED = "CANCELLED"
    SIGNAL_FAILED = "SIGNAL_FAILED"
    RETRY_EXHAUSTED = "RETRY_EXHAUSTED"
    STORE_ERROR = "STORE_ERROR"
    INTERPOLATION_ERROR = "INTERPOLATION_ERROR"
    ACTION_UNAVAILABLE = "ACTION_UNAVAILABLE"
    ISOLATION_ERROR = "ISOLATION_ERROR"
    VAULT_ERROR = "VAULT_ERROR"


NEVER_RETRIED = frozenset(
    {
        ErrorCode.VALIDATION_ERROR,
        ErrorCode.NOT_FOUND,
        ErrorCode.CONFLICT,
        ErrorCode.INVALID_TRANSITION,
        ErrorCode.CYCLE_DETECTED,
        ErrorCode.NON_RETRYABLE,
        ErrorCode.PERMISSION_DENIED,
        ErrorCode.CIRCUIT_OPEN,
        ErrorCode.ASSERTION_FAILED,
        ErrorCode.PATH_DENIED,
    }
)


class OpcodeError(Exception):
    """An error that a caller is meant to read: a code, a sentence, and details to act on."""

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        step_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = dict(details or {})
        self.step_id = step_id

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later."""
        return self.code not in NEVER_RETRIED

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def to_dict(self) -> dict[str, Any]:
        """The form that events, results and the wire carry."""
        return {
            "code": str(self.code),
            "message": self.message,
            "details": self.details,
            "step_id": self.step_id,
        }

    @classmethod
    def from_dict(cls, error: Mapping[str, Any]) -> Self:
        """The error that `to_dict` wrote."""
        return cls(
            ErrorCode(error["code"]),
            error["message"],
            details=error.get("details"),
            step_id=error.get("step_id"),
        )
