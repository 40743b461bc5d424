"""Only our own pages may change anything."""

from fastapi import Depends, Request

from opcode_core import ErrorCode, OpcodeError

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


async def _check(request: Request) -> None:
    """Refuse what another site lets a browser send. The server has compared any Origin with our own already."""
    if request.method in SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    ours = site in ("same-origin", "none") if site is not None else "origin" in request.headers
    if not ours:
        raise OpcodeError(
            ErrorCode.PERMISSION_DENIED,
            "this was not sent by a page of the panel; programs use /api/v1",
        )


guarded = Depends(_check)
