"""Where a redirect leads, and what may be sent there."""

import httpx2

from opcode_http.errors import denied, failed
from opcode_http.outgoing import Outgoing
from opcode_http.reasons import shown

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ABOUT_THE_BODY = frozenset({"content-type", "content-length", "content-encoding", "transfer-encoding"})


def redirected(request: Outgoing, response: httpx2.Response) -> Outgoing | None:
    """The request that follows, or None when the response is no redirect.

    Raises:
        OpcodeError: PERMISSION_DENIED when it leads away from HTTP, EXECUTION_ERROR when nowhere.
    """
    location = response.headers.get("location")
    if response.status_code not in _REDIRECTS or not location:
        return None
    url = _target(request, location)
    dropped = {"host"}
    method, content = request.method, request.content
    if _becomes_get(method, response.status_code):
        method, content = "GET", None
        dropped |= _ABOUT_THE_BODY
    if not _may_see_credentials(request.url, url):
        dropped |= request.credentials
    headers = httpx2.Headers(
        [(name, value) for name, value in request.headers.raw if name.decode().lower() not in dropped]
    )
    return Outgoing(method, url, headers, content, request.credentials)


def _target(request: Outgoing, location: str) -> httpx2.URL:
    try:
        url = request.url.join(location).copy_with(userinfo=b"", fragment=None)
    except (httpx2.InvalidURL, ValueError):
        raise failed(
            f"{shown(request.url)} redirects to {location[:200]!r}, which is not a URL",
            url=shown(request.url),
        ) from None
    if url.scheme not in ("http", "https") or not url.host:
        raise denied(
            f"{shown(request.url)} redirects to a {url.scheme or 'nameless'}: address; only http and https are allowed",
            url=shown(request.url),
        )
    return url


def _becomes_get(method: str, status: int) -> bool:
    return (status == 303 and method not in ("GET", "HEAD")) or (status in (301, 302) and method == "POST")


def _may_see_credentials(old: httpx2.URL, new: httpx2.URL) -> bool:
    """The same host and port, or the same host's step from http to https."""
    if old.host != new.host:
        return False
    before, after = (old.scheme, _port(old)), (new.scheme, _port(new))
    return before == after or (before, after) == (("http", 80), ("https", 443))


def _port(url: httpx2.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)
