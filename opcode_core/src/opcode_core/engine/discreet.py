"""The logger of a step: whatever it writes, the secrets of its run are not in it."""

import logging
import sys
import traceback
from collections.abc import Callable, Collection, Mapping
from typing import Any

from opcode_core.contracts.action import StepLogger
from opcode_core.redaction import redact


class DiscreetLogger(StepLogger):
    """A StepLogger that hides secrets in messages, arguments, fields and exceptions.

    Args:
        logger: where the lines go.
        extra: what each of them carries.
        hidden: gives the secrets of the moment.
    """

    def __init__(
        self, logger: Any, extra: Mapping[str, object], hidden: Callable[[], Collection[str]]
    ) -> None:
        super().__init__(logger, extra)
        self._hidden = hidden

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """As of any logger."""
        if not self.isEnabledFor(level):
            return
        hidden = self._hidden()
        if not hidden:
            super().log(level, msg, *args, **kwargs)
            return
        raised = _exception(kwargs.pop("exc_info", None))
        if raised is not None:
            kwargs["exc_info"] = _without_secrets(raised, hidden)
        kwargs["extra"] = redact(_shown(kwargs.get("extra") or {}), hidden)
        text = str(msg) % args if args else str(msg)
        super().log(level, "%s", redact(text, hidden), **kwargs)


def _shown(value: Any) -> Any:
    """As JSON: of what is none the text that a log line would show, so that it can be looked through."""
    if isinstance(value, Mapping):
        return {str(key): _shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    return value if isinstance(value, str | int | float | None) else str(value)


def _exception(given: Any) -> BaseException | None:
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        return given[1] if len(given) == 3 else None
    return sys.exc_info()[1] if given else None


def _without_secrets(raised: BaseException, hidden: Collection[str]) -> BaseException:
    """One of the same name and text, with its traceback as a note where that would be shown."""
    kind = type(raised)
    same: type[Exception] = type(kind.__name__, (Exception,), {"__module__": kind.__module__})
    stand_in = same(redact(str(raised), hidden))
    if logging.getLogger("opcode").isEnabledFor(logging.DEBUG):
        stand_in.add_note(redact("".join(traceback.format_exception(raised)), hidden))
    return stand_in
