"""The actions crypto.*: quick and without outside effect. Text is taken as UTF-8."""

import base64
import binascii
import hashlib
import hmac
import uuid
from collections.abc import Callable, Mapping
from typing import Annotated, Literal
from urllib.parse import quote, unquote_to_bytes

from pydantic import Field
from typing_extensions import TypedDict

from opcode_core import ErrorCode, OpcodeError, action

Algorithm = Literal["sha256", "sha384", "sha512", "sha1", "md5"]
Encoding = Literal["base64", "base64url", "hex", "url"]
Data = Annotated[str, Field(description="Text; its UTF-8 bytes are used")]


class Hash(TypedDict):
    """A digest in hexadecimal."""

    hash: str
    algorithm: str


class Hmac(TypedDict):
    """A keyed digest in hexadecimal."""

    hmac: str
    algorithm: str


class Uuid(TypedDict):
    """A random UUID (version 4)."""

    uuid: str


class Coded(TypedDict):
    """Encoded or decoded text."""

    result: str
    encoding: str


@action("crypto.hash", effect="pure")
def hash_(data: Data, algorithm: Algorithm = "sha256") -> Hash:
    """Hash a text; gives the digest in hexadecimal."""
    digest = hashlib.new(algorithm, _bytes(data, "data"), usedforsecurity=False)
    return {"hash": digest.hexdigest(), "algorithm": algorithm}


@action("crypto.hmac", effect="pure")
def hmac_(data: Data, key: str, algorithm: Algorithm = "sha256") -> Hmac:
    """Hash a text with a key (RFC 2104); gives the digest in hexadecimal."""
    digest = hmac.new(_bytes(key, "key"), _bytes(data, "data"), algorithm)
    return {"hmac": digest.hexdigest(), "algorithm": algorithm}


@action("crypto.uuid", effect="pure")
def uuid_() -> Uuid:
    """Make a random UUID (version 4)."""
    return {"uuid": str(uuid.uuid4())}


@action("crypto.encode", effect="pure")
def encode(data: Data, encoding: Encoding = "base64") -> Coded:
    """Encode a text as base64, base64url, hex or for a URL."""
    return {"result": _ENCODERS[encoding](_bytes(data, "data")), "encoding": encoding}


@action("crypto.decode", effect="pure")
def decode(data: Data, encoding: Encoding = "base64") -> Coded:
    """Decode what `crypto.encode` made; the result must be UTF-8 text."""
    try:
        decoded = _DECODERS[encoding](data)
    except (binascii.Error, ValueError) as error:
        raise _refused(data, f"is not {encoding}: {error}") from None
    try:
        return {"result": decoded.decode("utf-8"), "encoding": encoding}
    except UnicodeDecodeError as error:
        raise _refused(data, f"holds bytes that are not UTF-8 text (at byte {error.start})") from None


def _bytes(text: str, param: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR,
            f"'{param}' holds half a surrogate pair at character {error.start}, which UTF-8 cannot write",
        ) from None


def _base64(text: str, alphabet: bytes | None) -> bytes:
    """With or without padding and line breaks, but nothing else that is not of the alphabet."""
    raw = b"".join(text.encode("ascii").split())
    return base64.b64decode(raw + b"=" * (-len(raw) % 4), altchars=alphabet, validate=True)


_ENCODERS: Mapping[str, Callable[[bytes], str]] = {
    "base64": lambda data: base64.b64encode(data).decode("ascii"),
    "base64url": lambda data: base64.urlsafe_b64encode(data).decode("ascii"),
    "hex": bytes.hex,
    "url": lambda data: quote(data, safe=""),
}
_DECODERS: Mapping[str, Callable[[str], bytes]] = {
    "base64": lambda text: _base64(text, None),
    "base64url": lambda text: _base64(text, b"-_"),
    "hex": bytes.fromhex,
    "url": unquote_to_bytes,
}


def _refused(data: str, why: str) -> OpcodeError:
    shown = repr(data) if len(data) <= 40 else f"{data[:40]!r}…"
    return OpcodeError(ErrorCode.VALIDATION_ERROR, f"'data' {shown} {why}")
