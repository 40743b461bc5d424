"""Parts of JSON Schemas that several tools share."""

from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

OBJECT: Json = {"type": "object"}
TEXT: Json = {"type": "string"}
NAME: Json = {"type": "string", "minLength": 1, "maxLength": 200}
MAYBE_TEXT: Json = {"type": ["string", "null"]}
MAYBE_OBJECT: Json = {"type": ["object", "null"]}
STATUS: Json = {
    "type": "string",
    "enum": ["pending", "active", "suspended", "completed", "failed", "cancelled"],
}
STEP: Json = {
    "type": "object",
    "properties": {
        "step_id": TEXT,
        "status": {"type": "string"},
        "output": {},
        "error": MAYBE_OBJECT,
        "duration_ms": {"type": ["integer", "null"]},
    },
    "required": ["step_id", "status", "output", "error", "duration_ms"],
}
STEPS: Json = {"type": "object", "additionalProperties": STEP}
DECISION: Json = {
    "type": "object",
    "properties": {
        "id": TEXT,
        "workflow_id": TEXT,
        "step_id": TEXT,
        "target_agent_id": MAYBE_TEXT,
        "context": OBJECT,
        "options": {"type": "array", "items": OBJECT},
        "response_schema": MAYBE_OBJECT,
        "timeout_at": MAYBE_TEXT,
        "fallback": MAYBE_TEXT,
        "status": TEXT,
        "created_at": MAYBE_TEXT,
    },
    "required": ["id", "workflow_id", "step_id", "context", "options", "status"],
}
DECISIONS: Json = {"type": "array", "items": DECISION}
VERSION: Json = {"type": ["string", "integer"], "maxLength": 20, "minimum": 1, "maximum": 2**31}
AGENT: Json = {**NAME, "description": "Who you are: any name, the same each time."}
RUN_ID: Json = {**NAME, "description": "The workflow_id that opcode.run gave."}


def arguments(properties: Mapping[str, Json], required: Sequence[str]) -> Json:
    """An input schema: an object with these properties and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def described(schema: Json, description: str) -> Json:
    """The same with words about it."""
    return {**schema, "description": description}


def result(properties: Mapping[str, Json], required: Sequence[str] | None = None) -> Json:
    """An output schema: an object with at least these properties."""
    needed = list(properties) if required is None else list(required)
    return {"type": "object", "properties": dict(properties), "required": needed}
