"""Values and failures as a person reads them: as JSON, cut where it gets long."""

import json
from typing import Any

from opcode_core import ErrorCode, OpcodeError

MOST = 80
"""Characters of a value in a message; the whole value is in the error's details."""


def shown(value: Any) -> str:
    """A value as JSON, cut to MOST characters."""
    text = json.dumps(value[: MOST + 1] if isinstance(value, str) else value, ensure_ascii=False)
    return text if len(text) <= MOST else f"{text[: MOST - 1]}…"


def failed(message: str, what: str, **details: Any) -> OpcodeError:
    """ASSERTION_FAILED, beginning with the author's own `message`."""
    return OpcodeError(ErrorCode.ASSERTION_FAILED, f"{message}: {what}" if message else what, details=details)
