"""Tools as a server lists them, and as they are pinned: who changes what a tool says of itself needs a new approval."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from opcode_core import Effect, dumps
from opcode_core.hosting import Schema, printable

MOST_TOOLS = 256
MOST_SCHEMA = 128 * 1024
"""Bytes of JSON of one tool, with all that it says of itself."""
MOST_LISTED = 2 * 1024 * 1024
"""Bytes of JSON of all tools of one server."""
MOST_NAME, MOST_DESCRIPTION = 128, 4000
"""Characters."""
MOST_DEPTH = 32
_TIMELESS = ("pattern", "patternProperties", "format")
"""Keywords that are left to the server: a regular expression that somebody else wrote may never end here."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool.

    Attributes:
        name: as the server calls it.
        hash: of everything that it says of itself.
        effect: as its annotations say.
        params_schema, output_schema: what is checked here; the server checks its own.
    """

    name: str
    hash: str
    description: str
    effect: Effect
    params_schema: Mapping[str, Any] = field(default_factory=dict)
    output_schema: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)


def from_json(stored: Mapping[str, Any]) -> Tool:
    """What `to_json` gave."""
    return Tool(**stored)


def read_tools(
    listed: Iterable[Mapping[str, Any]], known: Iterable[Tool] = ()
) -> tuple[dict[str, Tool], list[str]]:
    """The tools in a server's answer to `tools/list`, by name, and why others are left out.

    It may take a second, so call it in a thread; those that are known already, and say the same, take no time.
    """
    found: dict[str, Tool] = {}
    by_hash = {tool.hash: tool for tool in known}
    room = MOST_LISTED
    faults: list[str] = []
    for raw in listed:
        name = raw.get("name")
        if not isinstance(name, str) or not 0 < len(name) <= MOST_NAME or not _is_name(name):
            faults.append(f"a tool is called {name!r:.80}, which is no name")
        elif name in found:
            faults.append(f"two tools are called {name}")
        elif len(found) >= MOST_TOOLS:
            faults.append(f"it has more than {MOST_TOOLS} tools")
            break
        elif len(body := dumps(_said(raw))) > min(MOST_SCHEMA, room):
            most = f"{MOST_SCHEMA:,} are allowed, {MOST_LISTED:,} for all tools"
            faults.append(f"tool {name} says {len(body):,} bytes of itself; {most}")
        else:
            room -= len(body)
            digest = hashlib.sha256(_canonical(body)).hexdigest()
            found[name] = by_hash.get(digest) or _tool(name, digest, raw)
    return found, faults


def _is_name(name: str) -> bool:
    return name.isprintable() and not any(char.isspace() for char in name)


def _said(raw: Mapping[str, Any]) -> dict[str, Any]:
    names = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")
    return {name: raw[name] for name in names if raw.get(name) is not None}


def _tool(name: str, digest: str, raw: Mapping[str, Any]) -> Tool:
    hints = raw.get("annotations")
    return Tool(
        name=name,
        hash=digest,
        description=printable(str(raw.get("description") or raw.get("title") or ""))[:MOST_DESCRIPTION],
        effect=_effect(hints if isinstance(hints, Mapping) else {}),
        params_schema=_checkable(raw.get("inputSchema"), {"type": "object"}),
        output_schema=_checkable(raw.get("outputSchema"), {}),
    )


def _canonical(body: bytes) -> bytes:
    """The same for the same content, in whatever order it was written."""
    import json

    return json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()


def _effect(hints: Mapping[str, Any]) -> Effect:
    if hints.get("readOnlyHint") is True:
        return "pure"
    return "idempotent" if hints.get("idempotentHint") is True else "external"


def _checkable(schema: Any, otherwise: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema that can be checked here in little time; what it forbids besides is left to the server."""
    if not isinstance(schema, Mapping):
        return otherwise
    tame = _tame(schema, MOST_DEPTH)
    tame.pop("$schema", None)
    return otherwise if not isinstance(tame, dict) or Schema(tame).lacks() else tame


def _tame(schema: Any, depth: int) -> Any:
    if isinstance(schema, list):
        return [_tame(each, depth - 1) for each in schema] if depth else []
    if not isinstance(schema, Mapping):
        return schema
    if depth == 0 or not str(schema.get("$ref", "#")).startswith("#"):
        return {}
    left_out = _TIMELESS if "patternProperties" not in schema else (*_TIMELESS, *_UNEVALUATED)
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("properties", "$defs", "definitions", "dependentSchemas") and isinstance(value, Mapping):
            kept[key] = {name: _tame(each, depth - 1) for name, each in value.items()}
        elif key in ("enum", "const", "default", "examples"):
            kept[key] = value
        elif key not in left_out:
            kept[key] = _tame(value, depth - 1)
    return kept


_UNEVALUATED = ("additionalProperties", "unevaluatedProperties")
