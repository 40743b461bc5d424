"""`triggers.webhook` of a template: who calls `/hooks/{template}` with a right signature starts a run."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from opcode_core import Engine, ErrorCode, OpcodeError, TemplateRecord, loads
from opcode_core.hosting import Issue, Schema
from opcode_scheduler.signatures import SIGNATURE, TIMESTAMP, WINDOW, is_signed, sign, time_fault

SHELF = "hooks"
"""Calls that came, by time, so that none is taken twice."""
SPEC: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "secret": {"type": "string", "minLength": 1, "maxLength": 200},
        "params": {"type": "object"},
        "input": {"type": "string", "minLength": 1, "maxLength": 200},
        "enabled": {"type": "boolean"},
    },
    "required": ["secret"],
    "additionalProperties": False,
}
NOT_TAKEN = (
    "no webhook takes this call: the signature is not right, or the template has no webhook"
    " (the server's log says which)"
)


class Webhooks:
    """`"webhook"`: `secret`, by its name in the vault; `params` that are always given; `input`, which the body goes to."""

    name = "webhook"

    def faults(self, given: Any) -> Sequence[Issue]:
        """Everything that is wrong."""
        return Schema(SPEC).issues(given)

    async def defined(self, engine: Engine, template: TemplateRecord) -> None:
        """Nothing: the newest version is asked with each call."""


class Refused(OpcodeError):  # noqa: N818
    """A call that starts nothing.

    Attributes:
        why: for the log; the caller is only told the message.
    """

    def __init__(self, why: str, message: str = NOT_TAKEN) -> None:
        super().__init__(ErrorCode.PERMISSION_DENIED, message)
        self.why = why


async def take(engine: Engine, name: str, timestamp: str, signature: str, body: bytes) -> str:
    """Start the run that a call asks for, and give its id.

    Args:
        engine: where.
        name: the template's.
        timestamp: the header's, as it came.
        signature: the header's.
        body: as it came.

    Raises:
        Refused: unsigned, wrongly signed, too old.
        OpcodeError: CONFLICT when it came before; VALIDATION_ERROR for what it says; VAULT_ERROR.
    """
    now = engine.clock.now()
    if not timestamp or not signature:
        raise Refused("it is not signed", f"the call needs the headers {TIMESTAMP} and {SIGNATURE}")
    fault = time_fault(timestamp, now)
    if fault is not None:
        raise Refused(fault, fault)
    template, spec = await _webhook(engine, name)
    secret = await _secret(engine, spec["secret"])
    if not is_signed(secret, timestamp, body, signature):
        raise Refused("the signature is not right")
    params = _params(spec, body)
    # A signature counts once, wherever it is sent: no call is good for another template with the same secret.
    signed = hashlib.sha256(sign(secret, timestamp, body).encode("ascii")).hexdigest()
    key = f"{int(timestamp):012d}-{signed}"
    known = await engine.storage.item(SHELF, key)
    if known is not None:
        run_id = known.value["workflow_id"]
        raise OpcodeError(
            ErrorCode.CONFLICT, "this call came before", details={"workflow_id": run_id, "replayed": True}
        )
    run_id = await engine.start(
        template.name,
        params,
        version=template.version,
        agent_id=template.agent_id,
        idempotency_key=f"hook:{key}",
    )
    await engine.storage.put(SHELF, key, {"workflow_id": run_id}, now)
    await _forget(engine, now)
    return run_id


async def _webhook(engine: Engine, name: str) -> tuple[TemplateRecord, Mapping[str, Any]]:
    template = await engine.storage.template(name)
    if template is None:
        raise Refused("there is no such template")
    spec = (template.triggers or {}).get("webhook")
    if not isinstance(spec, Mapping) or Webhooks().faults(spec) or not spec.get("enabled", True):
        raise Refused("the template has no webhook, or it is disabled")
    return template, spec


async def _secret(engine: Engine, name: str) -> str:
    if engine.vault is None:
        raise Refused("no vault is installed (pip install opcode-vault), so its secret cannot be read")
    try:
        secret = await engine.vault.get(name)
    except OpcodeError as error:
        raise Refused(f"its secret '{name}' cannot be read: {error.message}") from None
    if not secret:
        raise Refused(f"its secret '{name}' is empty")
    return secret


def _params(spec: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """An object's members become params; with `input`, whatever it is becomes that one."""
    fixed = dict(spec.get("params", {}))
    try:
        said = loads(body) if body.strip() else {}
    except ValueError as error:
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"the body is not JSON: {error}") from None
    if "input" in spec:
        return {**fixed, spec["input"]: said}
    if not isinstance(said, dict):
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR,
            'the body must be a JSON object of params; with "input": "NAME" in the trigger it may be any JSON',
        )
    return {**said, **fixed}


async def _forget(engine: Engine, now: float) -> None:
    """Calls that are too old to be taken again need not be remembered."""
    oldest = f"{int(max(now - 3 * WINDOW, 0)):012d}"
    page = await engine.storage.items(SHELF, limit=10)
    old = [item.key for item in page.items if item.key < oldest]
    if old:
        await engine.storage.remove(SHELF, old)
