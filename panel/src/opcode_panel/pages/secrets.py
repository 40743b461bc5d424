"""Secrets: their names, never their values."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse

from opcode_core import ErrorCode, OpcodeError, Vault
from opcode_panel.rendering import caller_of, house_of, page, see


def add_to(router: APIRouter) -> None:
    """`/secrets`."""

    @router.get("/secrets")
    async def secrets(request: Request) -> HTMLResponse:
        """By name."""
        vault, names, error = _vault(request), [], ""
        try:
            names = list(await vault.names()) if vault else []
        except OpcodeError as locked:
            error = locked.message
        return page(request, "secrets.html", vault=vault, names=names, error=error)

    @router.post("/secrets")
    async def set_secret(
        request: Request, name: Annotated[str, Form()], value: Annotated[str, Form()] = ""
    ) -> RedirectResponse:
        """Store or replace one."""
        await _installed(request).set(name.strip(), value)
        house_of(request).audit.note(caller_of(request), "secret.set", name)
        return see("/secrets")

    @router.post("/secrets/-/delete")
    async def delete(request: Request, name: Annotated[str, Form()]) -> RedirectResponse:
        """Remove one."""
        await _installed(request).delete(name)
        house_of(request).audit.note(caller_of(request), "secret.delete", name)
        return see("/secrets")


def _vault(request: Request) -> Vault | None:
    caller_of(request).need("admin", "secrets")
    return house_of(request).engine.vault


def _installed(request: Request) -> Vault:
    vault = _vault(request)
    if vault is None:
        raise OpcodeError(ErrorCode.VAULT_ERROR, "no vault is installed (pip install opcode-vault)")
    return vault
