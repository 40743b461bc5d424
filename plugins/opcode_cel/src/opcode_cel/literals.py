"""Literals: what stands for itself in the source."""

import math
import re
from typing import Any

from opcode_cel.kinds import Uint

_SIMPLE = dict(zip("abfnrtv\\?\"'`", "\a\b\f\n\r\t\v\\?\"'`", strict=True))
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\?\"'`])|([0-3][0-7]{2})|[xX]([0-9a-fA-F]{2})"
    # Two halves of a character are one.
    r"|u([dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|)"
)


def literal(kind: str, text: str) -> Any:
    """The value of a token.

    Raises:
        ValueError: with a message for the author of the expression.
    """
    match kind:
        case "INT_LIT":
            return _integer(text, -(2**63), 2**63 - 1)
        case "UINT_LIT":
            if text[0] == "-":
                raise ValueError("an unsigned integer has no sign")
            return Uint(_integer(text[:-1], 0, 2**64 - 1))
        case "FLOAT_LIT":
            return _double(text)
        case "STRING_LIT" | "MLSTRING_LIT":
            return _string(text)
        case "BYTES_LIT":
            return _bytes(text[1:])
        case "BOOL_LIT":
            return text == "true"
        case _:
            return None


def _integer(text: str, least: int, most: int) -> int:
    digits = text.lower()
    # Python refuses to read thousands of digits, and none of them would fit anyway.
    number = int(digits, 16 if "0x" in digits else 10) if len(digits) < 100 else most + 1
    if not least <= number <= most:
        raise ValueError("the integer has more than 64 bits")
    return number


def _double(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("the number is too large for a double")
    return number


def _body(text: str) -> tuple[str, bool]:
    """What is between the quotes, and whether it is raw."""
    raw = text[0] in "rR"
    text = text[1:] if raw else text
    width = 3 if len(text) >= 6 and text[:3] in {'"""', "'''"} else 1
    return text[width:-width].replace("\r\n", "\n").replace("\r", "\n"), raw


def _string(text: str) -> str:
    body, raw = _body(text)
    if raw or "\\" not in body:
        return body
    return _ESCAPE.sub(_character, body)


def _character(match: re.Match[str]) -> str:
    simple, octal, short, halves, medium, long = match.groups()
    if simple:
        return _SIMPLE[simple]
    if octal:
        return chr(int(octal, 8))
    if halves:
        high, low = (int(half, 16) for half in halves.split("\\u"))
        return chr(0x10000 + ((high - 0xD800) << 10) + low - 0xDC00)
    digits = short or medium or long
    if not digits:
        shown = match.string[match.start() : match.start() + 2]
        raise ValueError(f"{shown} is no escape; double the backslash, or write r'…' as for patterns")
    code = int(digits, 16)
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise ValueError(f"{match[0]} is no character")
    return chr(code)


def _bytes(text: str) -> bytes:
    """Text as UTF-8; hexadecimal and octal escapes are bytes here, not characters."""
    body, raw = _body(text)
    if raw:
        return body.encode()
    parts, end = [], 0
    for match in _ESCAPE.finditer(body):
        parts.append(body[end : match.start()].encode())
        parts.append(_octets(match))
        end = match.end()
    return b"".join([*parts, body[end:].encode()])


def _octets(match: re.Match[str]) -> bytes:
    _, octal, short, *characters = match.groups()
    if octal:
        return bytes([int(octal, 8)])
    if short:
        return bytes([int(short, 16)])
    if any(characters):
        raise ValueError(f"{match[0][:2]} names a character, and bytes hold none; write \\x and two digits")
    return _character(match).encode()
