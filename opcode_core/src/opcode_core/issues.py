"""What is wrong with a definition, said so that it can be put right."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from opcode_core.errors import ErrorCode, OpcodeError


@dataclass(frozen=True, slots=True)
class Issue:
    """One fault.

    Attributes:
        path: where, as `steps[2].config.branches.yes[0].params.url`; empty for the whole.
        message: what is wrong, with the value.
        hint: what to do; may be empty.
        code: the error code that it stands for.
    """

    path: str
    message: str
    hint: str = ""
    code: ErrorCode = ErrorCode.VALIDATION_ERROR

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}{self.message}" + (f" ({self.hint})" if self.hint else "")

    def to_dict(self) -> dict[str, str]:
        """For the wire."""
        return {"path": self.path, "message": self.message, "hint": self.hint, "code": str(self.code)}


class InvalidDefinition(OpcodeError):  # noqa: N818
    """A definition was refused; `issues` lists everything that is wrong with it."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        self.issues = tuple(issues)
        first = issues[0]
        more = f", and {len(issues) - 1} more" if len(issues) > 1 else ""
        details: dict[str, Any] = {"issues": [issue.to_dict() for issue in issues]}
        super().__init__(first.code, f"{first}{more}", details=details)


def shown(value: Any, most: int = 60) -> str:
    """A value inside a sentence, never long."""
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def format_path(parts: list[Any]) -> str:
    """`steps[0].params.url` from its parts."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
