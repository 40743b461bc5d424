"""The gate that every request passes: whose it is, where from, how large, how often."""

import asyncio
import hashlib
import hmac
import math
from collections.abc import Mapping
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from typing import Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.transport_security import RequestBodyLimitMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from opcode_core import ErrorCode, OpcodeError
from opcode_server.callers import ADMIN, VIEWER, Caller
from opcode_server.hosts import Hosts
from opcode_server.house import REMEMBERED, House
from opcode_server.rates import Rate
from opcode_server.replies import error_reply

MOST_BODY = 4 * 1024 * 1024
"""Bytes of a request."""
MOST_DRAINED, DRAINING = 64 * 1024 * 1024, 0.2
"""Bytes of a body that is too large which are still read, as long as they keep coming (seconds between two
pieces), so that their sender comes to see the answer."""
REQUESTS, FAILURES = 1000.0, 5.0
"""A second, of one caller: requests, and wrong tokens."""
MOST_KNOWN = 10_000
COOKIE = "opcode_token"
OPEN = ("/healthz", "/readyz")
"""Paths that need no token."""


class Gate:
    """Wraps the application.

    Args:
        app: what answers those who may enter.
        house: who is known.
        hosts: what this server is called.
        open_paths: further paths that need no token, as a page to log in; a trailing slash means all below.
    """

    def __init__(self, app: ASGIApp, house: House, hosts: Hosts, open_paths: list[str]) -> None:
        self.app = RequestBodyLimitMiddleware(app, MOST_BODY)
        self.house = house
        self.hosts = hosts
        self.open_paths = open_paths
        self._requests = Rate(REQUESTS)
        self._failures = Rate(FAILURES)
        self._right: set[str] = set()  # hashes of tokens that were right

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:  # a WebSocket
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        fault = self.hosts.fault(headers)
        if fault is not None:
            await _refuse(fault[0], fault[1])(scope, receive, send)
            return
        address = scope["client"][0] if scope.get("client") else ""
        text = _token(headers)
        if self._is_open(scope["path"]):
            text = None  # nobody asks for it there, so a wrong one is no guess
        if text is not None and self._guesses(text, address):
            await _refuse(429, "too many wrong tokens came from here", _later(1.0))(scope, receive, send)
            return
        caller = await self._caller(text, address)
        if caller is None and not self._is_open(scope["path"]):
            await self._turn_away(headers, text, scope, receive, send)
            return
        wait = self._requests.wait(caller.name if caller else address)
        if wait:
            await _refuse(429, "too many requests", _later(wait))(scope, receive, send)
            return
        scope["opcode.caller"] = caller
        length = _length(headers)
        if length > MOST_BODY:
            if b"expect" not in headers:
                await _read_off(receive, length)
            message = f"a request may have {MOST_BODY} bytes, this one has {length}"
            await error_reply(OpcodeError(ErrorCode.VALIDATION_ERROR, message), 413)(scope, receive, send)
            return
        answer = _Answer(send)
        with suppress(ClientDisconnect):  # in the middle of what it sent; nobody is there to be answered
            if caller is not None and (text is None or caller.agent_id is not None):
                await self._while_let_in(text, caller, scope, receive, answer)
            else:
                await self.app(scope, receive, answer)
        await answer.end()

    async def _while_let_in(
        self, text: str | None, caller: Caller, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Serve a caller; also a stream ends when the token does, or when from now on one is needed."""
        if caller.agent_id is not None:  # binds the SDK's sessions to whoever opened them
            token = AccessToken(token=caller.name, client_id=caller.name, scopes=[])
            scope["user"] = AuthenticatedUser(token)
        answering = asyncio.ensure_future(self.app(scope, receive, send))
        try:
            while not (await asyncio.wait({answering}, timeout=REMEMBERED))[0]:
                if await self._known(text, caller.address) is None:
                    break
        finally:
            answering.cancel()
            with suppress(asyncio.CancelledError):
                await answering

    def _guesses(self, text: str, address: str) -> bool:
        """Whether too many wrong tokens came from there, and this one was not right before."""
        return self._failures.is_over(address) and _hash(text) not in self._right

    async def _caller(self, text: str | None, address: str) -> Caller | None:
        """Who that is; None when it cannot be told or the token is wrong, which is noted."""
        caller = await self._known(text, address)
        if text is not None and caller is None:
            self._right.discard(_hash(text))
            self._failures.wait(address)
        elif text is not None and len(self._right) < MOST_KNOWN:
            self._right.add(_hash(text))
        return caller

    async def _known(self, text: str | None, address: str) -> Caller | None:
        if text is None:
            return None if await self.house.is_locked() else Caller("local", ADMIN, address=address)
        for name, known in (("OPCODE_TOKEN", self.house.settings.token), ("this machine", self.house.key)):
            if known and hmac.compare_digest(known.encode(), text.encode("latin-1", "replace")):
                return Caller(name, ADMIN, address=address)
        token = await self.house.known_token(text)
        return None if token is None else Caller(token.id, token.role, token.agent_id, address)

    async def _turn_away(
        self, headers: Mapping[bytes, bytes], text: str | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        message = "a token is needed: send it as the header Authorization: Bearer TOKEN"
        if text is not None:
            caller = Caller("unknown", VIEWER, address=scope["client"][0] if scope.get("client") else "")
            self.house.audit.note(caller, "http", scope["path"], "PERMISSION_DENIED")
            message = "this token is not known, or its time is over"
        login = self.house.login if self.house.settings.panel else None
        if login is not None and b"text/html" in headers.get(b"accept", b""):
            await _refuse(303, message, {"location": login})(scope, receive, send)
            return
        await _refuse(401, message, {"www-authenticate": "Bearer"})(scope, receive, send)

    def _is_open(self, path: str) -> bool:
        return path in OPEN or any(
            path.startswith(known) if known.endswith("/") else path == known for known in self.open_paths
        )


class _Answer:
    """What goes out; a stream that was left in the middle gets its end."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_open = False

    async def __call__(self, message: Message) -> None:
        """Hand it on."""
        self._is_open = message["type"] == "http.response.start" or message.get("more_body", False)
        await self._send(message)

    async def end(self) -> None:
        """Nothing more will come."""
        if self._is_open:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _token(headers: Mapping[bytes, bytes]) -> str | None:
    scheme, _, text = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme:
        return text.strip() if scheme.lower() == "bearer" else ""
    try:
        cookie = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get(COOKIE)
    except CookieError:
        return None
    return cookie.value if cookie is not None else None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("latin-1", "replace")).hexdigest()


def _later(seconds: float) -> dict[str, str]:
    return {"retry-after": str(math.ceil(seconds))}


def _refuse(status: int, message: str, headers: dict[str, str] | None = None) -> Any:
    return error_reply(OpcodeError(ErrorCode.PERMISSION_DENIED, message), status, headers)


async def _read_off(receive: Receive, length: int) -> None:
    """Let a client that is still sending reach the point where it reads the answer."""
    left = min(length, MOST_DRAINED)
    with suppress(TimeoutError):
        while left > 0:
            async with asyncio.timeout(DRAINING):
                message = await receive()
            left -= len(message.get("body", b""))
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return


def _length(headers: Mapping[bytes, bytes]) -> int:
    text = headers.get(b"content-length", b"")
    return int(text) if text.isdigit() and len(text) < 17 else 0
