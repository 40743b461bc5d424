"""What a literal stands for."""

import re

from opcode_expr.values import MAX_INT

_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\'\"`?])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|[\s\S])"
)
_SHORT = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_BASES = {"0x": 16, "0o": 8, "0b": 2}


def number(text: str) -> int | float:
    """The number of `10_000`, `0xFF`, `.5`, `1e9`.

    Raises:
        ValueError: it is too large, or has no digits.
    """
    digits = text.replace("_", "").lower()
    base = _BASES.get(digits[:2])
    if base is None and any(character in digits for character in ".e"):
        value = float(digits)
        if value == float("inf"):
            raise ValueError("the number is too large")
        return value
    if len(digits) > 70:
        raise ValueError("the number is too large")
    if base is not None and len(digits) == 2:
        raise ValueError("the number has no digits")
    whole = int(digits[2:], base) if base else int(digits)
    if whole > MAX_INT:
        raise ValueError("an int has at most 64 bits")
    return whole


def string(token: str) -> str:
    """The text of a string in quotes.

    Raises:
        ValueError: it has an escape that there is not.
    """
    body = token[1:-1]
    if "\\" not in body:
        return body
    text = _ESCAPE.sub(_unescaped, body)
    try:
        # A pair of surrogates is one character.
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise ValueError("half of a surrogate pair is no character") from None


def _unescaped(match: re.Match[str]) -> str:
    short, octal = match[1], match[5]
    if short:
        return _SHORT.get(short, short)
    if octal:
        return chr(int(octal, 8))
    code = match[2] or match[3] or match[4]
    if not code:
        raise ValueError(f"there is no escape '{match[0]}'; a backslash itself is written \\\\")
    value = int(code, 16)
    if value > 0x10FFFF:
        raise ValueError(f"{match[0]} is no character")
    return chr(value)


def raw(token: str) -> str:
    """The text between backticks, where two of them stand for one."""
    return token[1:-1].replace("``", "`")
