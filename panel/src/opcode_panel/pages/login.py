"""Login: a token in exchange for a cookie that no script can read."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from opcode_panel.rendering import HEADERS, page, see
from opcode_server import COOKIE

PATH = "/login"
WEEK = 7 * 24 * 3600


def add_to(router: APIRouter) -> None:
    """`/login` and `/logout`."""

    @router.get(PATH)
    async def form(request: Request) -> Response:
        """For the token; whoever is let in already goes on to the home."""
        if request.scope.get("opcode.caller") is not None:
            return see("/")
        return page(request, "login.html", wrong=COOKIE in request.cookies)

    @router.post(PATH)
    async def login(request: Request, token: Annotated[str, Form()] = "") -> Response:
        """The server looks at the cookie with each request, so it is not looked at here."""
        response = see("/")
        response.set_cookie(
            COOKIE,
            token.strip(),
            max_age=WEEK,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return response

    @router.post("/logout")
    async def logout() -> Response:
        """Forget the token."""
        response = see(PATH)
        response.delete_cookie(COOKIE)
        response.headers.update(HEADERS)
        return response
