"""The program's log: a line of JSON for each record, on standard error."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

_CORRELATION = ("workflow_id", "step_id", "agent_id")


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
        if isinstance(fields, dict):
            line["fields"] = fields
        if record.exc_info and logging.getLogger("opcode").isEnabledFor(logging.DEBUG):
            line["traceback"] = self.formatException(record.exc_info)
        elif record.exc_info and record.exc_info[1] is not None:
            line["error"] = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        return json.dumps(line, ensure_ascii=False, default=str)


def set_up(level: str, stream: TextIO | None = None) -> None:
    """Send everything below the logger `opcode` to `stream`, standard error by default."""
    logger = logging.getLogger("opcode")
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
