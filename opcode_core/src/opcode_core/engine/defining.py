"""What a template is defined with beside its steps: a name, schemas, triggers."""

from collections.abc import Mapping
from typing import Any

from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.issues import InvalidDefinition, Issue
from opcode_core.plugins.registry import Registry
from opcode_core.schemas import Schema
from opcode_core.suggestions import did_you_mean

LONGEST_NAME = 200


def check_name(name: str) -> None:
    """Raise VALIDATION_ERROR for what cannot be a template's name."""
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR,
            f"{name!r} is not a template's name: 1 to {LONGEST_NAME} printable characters",
        )


def check_schemas(**schemas: Mapping[str, Any] | None) -> None:
    """Raise VALIDATION_ERROR naming what is not a JSON Schema."""
    for what, schema in schemas.items():
        if schema is not None and (fault := Schema(schema).lacks()):
            raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"{what} is not a JSON Schema: {fault}")


def check_triggers(registry: Registry, triggers: Mapping[str, Any]) -> list[Issue]:
    """Warnings about triggers that nothing here knows; they are stored all the same.

    Raises:
        InvalidDefinition: with everything that is wrong with the others.
    """
    warnings: list[Issue] = []
    faults: list[Issue] = []
    for name, given in triggers.items():
        known = registry.triggers.get(name)
        if known is not None:
            faults += [_within(f"triggers.{name}", fault) for fault in known.faults(given)]
        elif given:
            hint = did_you_mean(name, registry.triggers) or "`opcode plugins list` shows what is installed"
            message = f"nothing that is installed starts runs by '{name}', so this is only stored"
            warnings.append(Issue(f"triggers.{name}", message, hint))
    if faults:
        raise InvalidDefinition(faults)
    return warnings


def _within(place: str, fault: Issue) -> Issue:
    between = "" if not fault.path or fault.path.startswith("[") else "."
    return Issue(f"{place}{between}{fault.path}", fault.message, fault.hint, fault.code)
