"""The program's log on standard error: a line of JSON for each record, on a terminal a line for people."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from opcode_core.redaction import redact_here

_CORRELATION = ("workflow_id", "step_id", "agent_id")


def printable(text: str) -> str:
    """`text` without the control characters that could move a terminal's cursor or change its colours."""
    return "".join(
        char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text
    )


class JsonLines(logging.Formatter):
    """Time, level, logger, message, the ids of run, step and agent, and any `fields`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({name: getattr(record, name) for name in _CORRELATION if hasattr(record, name)})
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict) and fields:
            line["fields"] = fields
        if record.exc_info and logging.getLogger("opcode").isEnabledFor(logging.DEBUG):
            line["traceback"] = self.formatException(record.exc_info)
        elif record.exc_info and record.exc_info[1] is not None:
            line["error"] = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        return redact_here(json.dumps(line, ensure_ascii=False, default=str))


class PlainLines(logging.Formatter):
    """Level, message, and the step that it comes from."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        step = getattr(record, "step_id", None)
        return f"{record.levelname.lower()}: {printable(redact_here(record.getMessage()))}" + (
            f"  (step {step})" if step else ""
        )


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is at the moment, so that a live picture can keep its place."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def set_up(level: str) -> None:
    """Send everything below the logger `opcode` to standard error."""
    logger = logging.getLogger("opcode")
    handler = _StandardError()
    handler.setFormatter(PlainLines() if sys.stderr.isatty() else JsonLines())
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
