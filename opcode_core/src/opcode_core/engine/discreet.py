"""The logger of a step that was given secrets: whatever it writes, they are not in it."""

from collections.abc import Collection, Mapping
from typing import Any

from opcode_core.contracts.action import StepLogger
from opcode_core.redaction import redact


class DiscreetLogger(StepLogger):
    """A StepLogger that hides secrets in messages, arguments and fields."""

    def __init__(self, logger: Any, extra: Mapping[str, object], secrets: Collection[str]) -> None:
        super().__init__(logger, extra)
        self._secrets = secrets

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """As of any logger."""
        if self.isEnabledFor(level):
            text = str(msg) % args if args else str(msg)
            super().log(level, "%s", redact(text, self._secrets), **redact(kwargs, self._secrets))
