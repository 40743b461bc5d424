"""Looks for a secret in bytes, in whatever form it may stand there."""

import base64
import html
import json
import re
from functools import cache
from urllib.parse import quote, quote_plus

PIECE = 12
"""Bytes of a canary that are looked for also without the rest; no word of a test is as long and like it."""
_SPACE = re.compile(rb"\\n|\\r|\s")


@cache
def forms(secret):
    """By name, what would give a secret away."""
    raw = secret.encode()
    found = {
        "itself": raw,
        "UTF-16": secret.encode("utf-16-le"),
        "UTF-16, the other way round": secret.encode("utf-16-be"),
        "UTF-32": secret.encode("utf-32-le"),
        "JSON": json.dumps(secret)[1:-1].encode(),
        "JSON, not ASCII": json.dumps(secret, ensure_ascii=False)[1:-1].encode(),
        "JSON in JSON": json.dumps(json.dumps(secret)[1:-1])[1:-1].encode(),
        "Python": repr(secret)[1:-1].encode(),
        "Python's bytes": repr(raw)[2:-1].encode(),
        "URL": quote(secret, safe="").encode(),
        "URL, with slashes": quote(secret).encode(),
        "form": quote_plus(secret).encode(),
        "URL in a URL": quote(quote(secret, safe=""), safe="").encode(),
        "URL, of every byte": "".join(f"%{byte:02X}" for byte in raw).encode(),
        "HTML": html.escape(secret).encode(),
        "HTML, by number": "".join(f"&#{ord(char)};" for char in secret).encode(),
        "hex": raw.hex().encode(),
        "hex, in capitals": raw.hex().upper().encode(),
        "hex in hex": raw.hex().encode().hex().encode(),
    }
    for at in range(3):
        found[f"base64 at {at}"] = base64_of(raw, at)
        found[f"base64 for URLs at {at}"] = base64_of(raw, at).translate(bytes.maketrans(b"+/", b"-_"))
        for deeper in range(3):
            found[f"base64 at {at} in base64 at {deeper}"] = base64_of(base64_of(raw, at), deeper)
    for at in range(len(raw) - PIECE + 1):
        found[f"from its byte {at}"] = raw[at : at + PIECE]
    return found


def base64_of(data, at):
    """What is surely there when `data` begins at a byte of that number in what was encoded."""
    whole = base64.b64encode(bytes(at) + data)
    return whole[-(-at * 8 // 6) : (at + len(data)) * 8 // 6]


def hits(secret, data):
    """The forms in which a secret stands in there; also where lines were broken, and where HTML is escaped."""
    texts = {data, _SPACE.sub(b"", data)}
    if b"&" in data:
        texts.add(html.unescape(data.decode("utf-8", "replace")).encode("utf-8", "replace"))
    return [name for name, form in forms(secret).items() if any(form in text for text in texts)]
