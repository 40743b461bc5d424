"""HTTP answers: JSON, and errors with the status that fits their code."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from opcode_core import ErrorCode, OpcodeError, dumps

STATUS: Mapping[ErrorCode, int] = {
    ErrorCode.VALIDATION_ERROR: 422,
    ErrorCode.CYCLE_DETECTED: 422,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.CONFLICT: 409,
    ErrorCode.INVALID_TRANSITION: 409,
    ErrorCode.PERMISSION_DENIED: 403,
    ErrorCode.PATH_DENIED: 403,
    ErrorCode.TIMEOUT_ERROR: 504,
    ErrorCode.STORE_ERROR: 503,
    ErrorCode.ACTION_UNAVAILABLE: 503,
}


def reply(answer: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(dumps(answer), status, media_type="application/json")


def error_reply(
    error: OpcodeError, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """`{"error": {"code", "message", "details", "step_id"}}`."""
    return Response(
        dumps({"error": error.to_dict()}),
        status or STATUS.get(error.code, 500),
        headers,
        media_type="application/json",
    )
