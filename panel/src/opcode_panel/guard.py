"""Only our own pages may change anything, and none is there where the settings say so."""

from fastapi import Depends, HTTPException, Request

from opcode_core import ErrorCode, OpcodeError

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def is_on(request: Request) -> bool:
    """Whether there are to be pages now."""
    on: bool = request.app.state.opcode.settings.panel
    return on


async def _check(request: Request) -> None:
    """Refuse what another site lets a browser send. The server has compared any Origin with our own already."""
    if not is_on(request):
        raise HTTPException(404)
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
