"""Bodies: what a request sends and what a response holds."""

import codecs
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from opcode_core import dumps, loads
from opcode_http.errors import invalid
from opcode_http.query import pairs

_CHARSET = re.compile(
    r"(ascii|utf-(8|16|32)|iso8859|iso2022|latin|cp\d|koi8|mac-|big5|gb|euc|shift_jis|johab|hz|ptcp|tis-620|hp-roman8)"
)

Encoded = tuple[bytes | None, str | None]


def encode_body(body: Any, encoding: str) -> Encoded:
    """The bytes and the content type of `body`; neither for null.

    Raises:
        OpcodeError: VALIDATION_ERROR for a body that the encoding cannot hold.
    """
    if encoding not in _ENCODERS:
        raise invalid("body_encoding", f"must be one of {', '.join(_ENCODERS)}, not {encoding!r}")
    return (None, None) if body is None else _ENCODERS[encoding](body)


def _json(body: Any) -> Encoded:
    try:
        return dumps(body), "application/json"
    except ValueError as error:
        raise invalid("body", f"cannot be sent as JSON: {error}") from None


def _form(body: Any) -> Encoded:
    if isinstance(body, str):
        return _bytes(body), "application/x-www-form-urlencoded"
    if not isinstance(body, Mapping):
        raise invalid("body", f"must be an object for body_encoding 'form', not {type(body).__name__}")
    return urlencode(pairs("body", body)).encode(), "application/x-www-form-urlencoded"


def _text(body: Any) -> Encoded:
    if not isinstance(body, str):
        raise invalid("body", f"must be a text for body_encoding 'text', not {type(body).__name__}")
    return _bytes(body), "text/plain; charset=utf-8"


def _raw(body: Any) -> Encoded:
    if isinstance(body, str):
        return _bytes(body), None
    if isinstance(body, Mapping) and list(body) == ["base64"] and isinstance(body["base64"], str):
        try:
            return b64decode(body["base64"], validate=True), None
        except ValueError:
            raise invalid("body.base64", "is not base64") from None
    raise invalid("body", 'must be a text or {"base64": "..."} for body_encoding \'raw\'')


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


_ENCODERS: dict[str, Callable[[Any], Encoded]] = {"json": _json, "form": _form, "text": _text, "raw": _raw}


def decode_body(content: bytes, content_type: str, charset: str | None) -> Any:
    """JSON if it is JSON, else text, else base64.

    It is JSON when the content type says so, and when the text is an object or a list. A number
    or a word is only JSON when the content type says so. It is text when its bytes are text in
    the charset, UTF-8 by default; a content type of `text/*` makes it text whatever the bytes.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    text = _decoded(content, charset or "utf-8-sig", force=media_type.startswith("text/"))
    if text is None:
        return b64encode(content).decode()
    if media_type.endswith(("/json", "+json")) or text.lstrip()[:1] in ("{", "["):
        try:
            return loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def _decoded(content: bytes, charset: str, *, force: bool) -> str | None:
    for encoding, errors in ((charset, "strict"), ("utf-8-sig", "strict"), ("utf-8-sig", "replace")):
        if errors == "replace" and not force:
            return None
        try:
            if encoding == "utf-8-sig" or _is_charset(encoding):
                return content.decode(encoding, errors)
        except (UnicodeError, LookupError, ValueError):
            continue
    return None


def _is_charset(name: str) -> bool:
    """Whether it is a way to write text: Python also knows what is a program in disguise, or takes for ever."""
    return _CHARSET.match(codecs.lookup(name).name) is not None
