"""The signature of a call from outside: HMAC-SHA256 over its time and its body, under a secret that both know."""

import hashlib
import hmac

TIMESTAMP, SIGNATURE = "X-Opcode-Timestamp", "X-Opcode-Signature"
VERSION = "v1="
WINDOW = 300.0
"""Seconds by which a call's time may differ from ours; longer than that nobody has to remember it."""
MOST_SIGNATURES = 5


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The value of the header that signs `TIMESTAMP.BODY`."""
    signed = timestamp.encode("ascii") + b"." + body
    return VERSION + hmac.new(secret.encode("utf-8"), signed, hashlib.sha256).hexdigest()


def time_fault(timestamp: str, now: float) -> str | None:
    """What is wrong with the time of a call, or None."""
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        return f"the header {TIMESTAMP} must be the time of the call in whole seconds since 1970"
    apart = now - int(timestamp)
    if abs(apart) > WINDOW:
        where = "old" if apart > 0 else "ahead"
        return (
            f"the call is {abs(apart):.0f} s {where}; it must come within {WINDOW:.0f} s (is a clock wrong?)"
        )
    return None


def is_signed(secret: str, timestamp: str, body: bytes, header: str) -> bool:
    """Whether one of the signatures in the header is right; how long that takes tells nothing about the right one.

    A sender gives several, with commas between, while it goes over to another secret.
    """
    right = sign(secret, timestamp, body).encode("ascii")
    given = header.split(",")[:MOST_SIGNATURES]
    return any(hmac.compare_digest(right, one.strip().encode("utf-8", "replace")) for one in given)
