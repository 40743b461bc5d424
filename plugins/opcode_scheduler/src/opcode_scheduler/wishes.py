"""What people and programs may say about a job, checked before anything is stored."""

from collections.abc import Mapping
from typing import Any

from opcode_core import ErrorCode, OpcodeError
from opcode_core.hosting import Issue, Schema, did_you_mean
from opcode_scheduler.cron import LONGEST, BadCron, read_cron
from opcode_scheduler.job import CATCHUP
from opcode_scheduler.zones import BadZone, zone_of

OURS = "cron-"
"""How the ids of jobs begin that come from triggers."""
_NAME = {"type": "string", "minLength": 1, "maxLength": 200}

WHEN: Mapping[str, Any] = {
    "cron_expression": {"type": "string", "maxLength": LONGEST},
    "timezone": {"type": "string", "maxLength": 100},
    "params": {"type": "object"},
    "enabled": {"type": "boolean"},
    "catchup": {"type": "string", "enum": list(CATCHUP)},
}
WISH: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "template_name": _NAME,
        "template_version": {"type": ["string", "null"], "pattern": "^v?[0-9]{1,9}$"},
        "agent_id": _NAME,
        "id": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"},
        **WHEN,
    },
    "additionalProperties": False,
}


def checked(wish: Mapping[str, Any], needed: tuple[str, ...] = ()) -> dict[str, Any]:
    """The same, when all of it can be.

    Args:
        wish: any of WISH's properties.
        needed: those that must be there.

    Raises:
        OpcodeError: VALIDATION_ERROR with every issue.
    """
    found = issues_of(wish, {**WISH, "required": list(needed)})
    if found:
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        details = {"issues": [issue.to_dict() for issue in found]}
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"{found[0]}{more}", details=details)
    return dict(wish)


def issues_of(wish: Any, schema: Mapping[str, Any], place: str = "") -> list[Issue]:
    """Everything that is wrong: what does not fit the schema, and times that are none."""
    found = Schema(schema).issues(wish, place)
    if found:
        return found
    for name, read in (("cron_expression", read_cron), ("timezone", zone_of)):
        if name not in wish:
            continue
        try:
            read(wish[name])
        except (BadCron, BadZone) as error:
            path = f"{place}.{name}".lstrip(".")
            message = f"{wish[name]!r:.80}: {error}" if isinstance(error, BadCron) else str(error)
            found.append(Issue(path, message))
    return found


def unknown(job_id: str, known: list[str]) -> OpcodeError:
    """There is no such job."""
    hint = did_you_mean(job_id, known) or "`opcode schedule list` shows them"
    return OpcodeError(ErrorCode.NOT_FOUND, f"there is no schedule '{job_id:.80}'; {hint}")
