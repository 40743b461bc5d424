"""Sending a request and following where it leads, within bounds of time, size and hops."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpcore2
import httpx2

from opcode_core import ErrorCode, NetworkPolicy, OpcodeError, format_duration, parse_duration
from opcode_http.bodies import decode_body
from opcode_http.errors import failed, invalid
from opcode_http.outgoing import Outgoing
from opcode_http.pools import pool_for
from opcode_http.reasons import reason_of, shown
from opcode_http.redirects import redirected
from opcode_http.unpacking import OverflowedError, UnreadableError, unpacked

MAX_BODY = 10 * 1024 * 1024
_BODY_SHOWN = 500
# A timeout here is the machine's own, which gave up on a silent peer before our timeout did.
_BROKEN = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
)
_WITHOUT_BODY = (204, 304)


@dataclass(frozen=True, slots=True)
class Rules:
    """How far a request may go.

    Attributes:
        timeout: seconds for all of it, redirects and body included.
        max_redirects: None follows none and gives the redirect itself.
        verify: whether the server's certificate is checked.
        fail_on_error_status: a status of 400 and more is an error.
        network: where it may connect to.
    """

    timeout: float
    max_redirects: int | None
    verify: bool
    fail_on_error_status: bool
    network: NetworkPolicy

    @classmethod
    def of(
        cls,
        timeout: str | float,
        max_redirects: int | None,
        *,
        verify: bool,
        fail_on_error_status: bool,
        network: NetworkPolicy,
    ) -> "Rules":
        """From params.

        Raises:
            OpcodeError: VALIDATION_ERROR.
        """
        try:
            seconds = parse_duration(timeout)
        except ValueError as error:
            raise invalid("timeout", str(error)) from None
        if seconds == 0:
            raise invalid("timeout", 'must be longer than 0; write it like "30s"')
        if max_redirects is not None and max_redirects < 0:
            raise invalid("max_redirects", f"cannot be negative, got {max_redirects}")
        return cls(seconds, max_redirects, verify, fail_on_error_status, network)


async def exchange(request: Outgoing, rules: Rules) -> dict[str, Any]:
    """The output of the action.

    Raises:
        OpcodeError: TIMEOUT_ERROR, PERMISSION_DENIED for an address that is refused, EXECUTION_ERROR
            when there is no usable response, or one with an error status and the rules say so.
    """
    started = time.monotonic()
    try:
        async with asyncio.timeout(rules.timeout):
            response, content = await _follow(request, rules)
    except TimeoutError:
        raise OpcodeError(
            ErrorCode.TIMEOUT_ERROR,
            f"{request.method} {shown(request.url)} gave no complete response within "
            f"{format_duration(rules.timeout)}",
            details={"url": shown(request.url), "timeout": rules.timeout},
        ) from None
    output = _output(response, content, time.monotonic() - started)
    if rules.fail_on_error_status and response.status_code >= 400:
        raise _error_status(request, output, content)
    return output


async def _follow(request: Outgoing, rules: Rules) -> tuple[httpx2.Response, bytes]:
    hops = 0
    while True:
        async with _sent(request, rules) as response:
            following = redirected(request, response) if rules.max_redirects is not None else None
            if following is None:
                return response, await _read(request, response)
        hops += 1
        if rules.max_redirects is not None and hops > rules.max_redirects:
            raise failed(
                f"{request.method} {shown(request.url)} redirects once more after {rules.max_redirects} redirects; "
                "raise max_redirects if that is right",
                url=shown(request.url),
            )
        request = following


class _Stream(httpx2.AsyncByteStream):
    """The pool's stream, as the response wants it."""

    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._response.aiter_stream()

    async def aclose(self) -> None:
        await self._response.aclose()


@asynccontextmanager
async def _sent(request: Outgoing, rules: Rules) -> AsyncIterator[httpx2.Response]:
    """The response to one request, its body not yet read; whatever happens, its connection is let go."""
    # httpx2.Request adds Host and the length of the body.
    full = httpx2.Request(request.method, request.url, headers=request.headers, content=request.content)
    try:
        pool = pool_for(request.url.scheme, rules.network, verify=rules.verify)
        answer = await pool.handle_async_request(
            httpcore2.Request(
                request.method,
                httpcore2.URL(
                    scheme=full.url.raw_scheme,
                    host=full.url.raw_host,
                    port=full.url.port,
                    target=full.url.raw_path,
                ),
                headers=full.headers.raw,
                content=full.stream,
            )
        )
        response = httpx2.Response(
            answer.status, headers=answer.headers, stream=_Stream(answer), extensions=answer.extensions
        )
        async with aclosing(response):
            yield response
    except _BROKEN as error:
        raise failed(
            f"{request.method} {shown(request.url)} failed: {reason_of(error, request.url)}",
            url=shown(request.url),
            host=request.url.host,
        ) from None


async def _read(request: Outgoing, response: httpx2.Response) -> bytes:
    """The body, decompressed; given up as soon as it is known to be too large."""
    announced = response.headers.get("content-length", "")
    if request.method != "HEAD" and announced.isdecimal() and int(announced) > MAX_BODY:
        raise _too_large(request)
    bare = request.method == "HEAD" or response.status_code in _WITHOUT_BODY
    encodings = "" if bare else response.headers.get("content-encoding", "")
    try:
        async with aclosing(response.aiter_raw()) as chunks:
            return await unpacked(chunks, encodings, MAX_BODY)
    except OverflowedError:
        raise _too_large(request) from None
    except UnreadableError as error:
        raise failed(
            f"{request.method} {shown(request.url)} failed: the response is not in the compression that it "
            f"claims, or not in one that can be read ({error})",
            url=shown(request.url),
        ) from None


def _too_large(request: Outgoing) -> OpcodeError:
    return failed(
        f"the response to {request.method} {shown(request.url)} is larger than 10 MiB; ask for less, "
        "or fetch it with a command",
        url=shown(request.url),
        max_bytes=MAX_BODY,
    )


def _output(response: httpx2.Response, content: bytes, seconds: float) -> dict[str, Any]:
    content_type = response.headers.get("content-type", "")
    headers: dict[str, str] = {}
    for raw_name, value in response.headers.multi_items():
        name = "-".join(part.capitalize() for part in raw_name.split("-"))
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return {
        "status_code": response.status_code,
        "status": _status(response),
        "headers": headers,
        "body": decode_body(content, content_type, response.charset_encoding),
        "content_type": content_type,
        "duration_ms": round(seconds * 1000),
    }


def _status(response: httpx2.Response) -> str:
    sent = response.extensions.get("reason_phrase", b"").decode("ascii", "replace")
    phrase = sent or httpx2.codes.get_reason_phrase(response.status_code)
    return f"{response.status_code} {phrase}".strip()


def _error_status(request: Outgoing, output: dict[str, Any], content: bytes) -> OpcodeError:
    beginning = content[: _BODY_SHOWN * 4].decode("utf-8", "replace")[:_BODY_SHOWN].strip()
    return failed(
        f"{request.method} {shown(request.url)} answered {output['status']}"
        + (f": {beginning}" if beginning else ""),
        url=shown(request.url),
        status_code=output["status_code"],
        body=beginning,
    )
