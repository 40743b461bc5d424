"""JSON, strict both ways: what cannot be read back as it was is refused, never bent."""

import json
import math
from typing import Any

import orjson

_STRICT = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME

_CONTAINERS = frozenset({dict, list, tuple})


def dumps(value: Any) -> bytes:
    """Encode to UTF-8 JSON.

    Raises:
        ValueError: for anything that JSON cannot hold: other types, keys that are not text,
            NaN and infinities, integers beyond 64 bits, cycles.
    """
    try:
        body = orjson.dumps(value, option=_STRICT)
    except TypeError as error:
        if "surrogate" in str(error):
            return _dumps_surrogates(value)
        raise ValueError(_in_our_words(str(error))) from None
    # orjson writes NaN as null; only an output with a null in it can hide one.
    if b"null" in body and _holds_non_finite(value):
        raise ValueError("NaN and infinity are not JSON numbers")
    return body


def loads(body: bytes | str) -> Any:
    """Decode JSON.

    Raises:
        ValueError: when it is not JSON, names NaN or an infinity, or is nested too deeply.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
        try:
            return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None


def _dumps_surrogates(value: Any) -> bytes:
    try:
        orjson.dumps(_without_surrogates(value), option=_STRICT)  # json is laxer about all else
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(str(error)) from None


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value


def _in_our_words(message: str) -> str:
    if "recursion" in message.lower() or "depth" in message.lower():
        return "it is nested too deeply or contains itself"
    return message.replace("Type is not JSON serializable: ", "JSON has no type for ")


def _holds_non_finite(value: Any) -> bool:
    """Of what orjson could write: there are no subclasses in it."""
    level = [value]
    while level:
        items = [
            item
            for container in level
            if type(container) in _CONTAINERS
            for item in (container.values() if type(container) is dict else container)
        ]
        if not all(math.isfinite(item) for item in items if type(item) is float):
            return True
        level = items
    return type(value) is float and not math.isfinite(value)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")
