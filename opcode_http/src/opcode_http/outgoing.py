"""A request as it goes out, made from the params of an action."""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from opcode_http.bodies import encode_body
from opcode_http.errors import invalid
from opcode_http.query import pairs

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_FOLLOWS_FROM_THE_BODY = frozenset({"content-length", "transfer-encoding"})
_NAMES_THE_CALLER = frozenset({"authorization", "proxy-authorization", "cookie"})
_AUTH_KEYS = {
    "bearer": ("token",),
    "basic": ("username", "password"),
    "api_key": ("header_name", "header_value"),
}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request.

    Attributes:
        headers: without `Host` and the body's length, which follow from the rest.
        credentials: names of the headers, in small letters, that only this URL's host may see.
    """

    method: str
    url: httpx2.URL
    headers: httpx2.Headers
    content: bytes | None
    credentials: frozenset[str]


def outgoing(
    method: str,
    url: str,
    headers: Mapping[str, Any] | None,
    query: Mapping[str, Any] | None,
    body: Any,
    body_encoding: str,
    auth: Mapping[str, Any] | None,
    idempotency_key: str,
) -> Outgoing:
    """The request that the params describe.

    Raises:
        OpcodeError: VALIDATION_ERROR naming the param that cannot be sent.
    """
    method = method.upper()
    if not _TOKEN.fullmatch(method) or method == "CONNECT":
        raise invalid(
            "method", f"{method!r} is not a method; use GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS"
        )
    target = parse_url(url)
    content, content_type = encode_body(body, body_encoding)
    sent = httpx2.Headers([("Accept", "*/*"), ("Accept-Encoding", "gzip, deflate"), ("User-Agent", "opcode")])
    if content_type:
        sent["Content-Type"] = content_type
    if method not in _SAFE_METHODS and idempotency_key:
        sent["Idempotency-Key"] = idempotency_key
    if target.userinfo:
        sent["Authorization"] = _basic(target.username, target.password)
    for name, value in (headers or {}).items():
        if value is not None:
            _set(sent, name, value, f"headers.{name}")
    credential = _authenticate(sent, auth) if auth else None
    return Outgoing(
        method=method,
        url=_with_query(target.copy_with(userinfo=b"", fragment=None), query),
        headers=sent,
        content=content,
        credentials=_NAMES_THE_CALLER | ({credential.lower()} if credential else set()),
    )


def parse_url(url: str) -> httpx2.URL:
    """The URL, if it is one that HTTP can reach.

    Raises:
        OpcodeError: VALIDATION_ERROR.
    """
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError) as error:
        raise invalid("url", f"is not a URL: {error}") from None
    if parsed.scheme not in ("http", "https"):
        raise invalid("url", f"must begin with http:// or https://, not {(parsed.scheme or url[:20])!r}")
    if not parsed.host:
        raise invalid("url", "names no host")
    return parsed


def _with_query(url: httpx2.URL, query: Mapping[str, Any] | None) -> httpx2.URL:
    if not query:
        return url
    added = pairs("query", query)
    replaced = {name for name, _ in added}
    kept = [(name, value) for name, value in url.params.multi_items() if name not in replaced]
    return url.copy_with(params=httpx2.QueryParams([*kept, *added]))


def _set(headers: httpx2.Headers, name: str, value: Any, param: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise invalid(param, f"{name!r} is not the name of a header")
    text = str(value).lower() if isinstance(value, bool) else str(value).strip()
    if _CONTROL.search(text):
        raise invalid(param, "holds a line break or another control character, which a header cannot")
    if name.lower() not in _FOLLOWS_FROM_THE_BODY:
        headers[name] = text.encode("utf-8", "replace").decode()


def _authenticate(headers: httpx2.Headers, auth: Mapping[str, Any]) -> str:
    """Add what `auth` asks for, and give the name of the header."""
    given = {key: value for key, value in auth.items() if value is not None}
    kind = given.pop("type", None)
    if kind not in _AUTH_KEYS:
        raise invalid("auth.type", f"must be one of {', '.join(_AUTH_KEYS)}, not {kind!r}")
    for key, value in given.items():
        if key not in _AUTH_KEYS[kind]:
            raise invalid(
                f"auth.{key}", f"does not belong to type {kind!r}, which has {', '.join(_AUTH_KEYS[kind])}"
            )
        if not isinstance(value, str):
            raise invalid(f"auth.{key}", f"must be a text, not {type(value).__name__}")
    name, value = "Authorization", ""
    if kind == "bearer":
        value = f"Bearer {_needed(given, kind, 'token')}"
    elif kind == "basic":
        value = _basic(_needed(given, kind, "username"), given.get("password", ""))
    else:
        name = given.get("header_name", "X-API-Key")
        value = _needed(given, kind, "header_value")
    _set(headers, name, value, "auth")
    return name


def _needed(given: Mapping[str, str], kind: str, key: str) -> str:
    if not given.get(key):
        raise invalid(f"auth.{key}", f"is needed by type {kind!r} and is missing or empty")
    return given[key]


def _basic(username: str, password: str) -> str:
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()
