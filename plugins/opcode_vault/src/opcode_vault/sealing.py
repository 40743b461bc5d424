"""AES-256-GCM: a text under a key, bound to what it is for."""

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

NONCE = 12
"""Bytes, new at random for every text."""


class Broken(Exception):  # noqa: N818
    """It was sealed with another key or for something else, or was changed since."""


def seal(key: bytes, text: str, about: list[Any]) -> dict[str, str]:
    """`text` as JSON that only `open_sealed` with the same key and the same `about` can read."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(NONCE)
    data = AESGCM(key).encrypt(nonce, text.encode("utf-8", "surrogatepass"), _bytes(about))
    return {"nonce": b64encode(nonce).decode(), "data": b64encode(data).decode()}


def open_sealed(key: bytes, sealed: Any, about: list[Any]) -> str:
    """What `seal` was given.

    Raises:
        Broken: when it is not that.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if not isinstance(sealed, Mapping):
        raise Broken
    try:
        nonce, data = b64decode(sealed["nonce"], validate=True), b64decode(sealed["data"], validate=True)
        return AESGCM(key).decrypt(nonce, data, _bytes(about)).decode("utf-8", "surrogatepass")
    except (InvalidTag, KeyError, TypeError, ValueError) as error:
        raise Broken from error


def _bytes(about: list[Any]) -> bytes:
    """Unambiguous: no two lists give the same."""
    return json.dumps(["opcode-vault", *about]).encode()
