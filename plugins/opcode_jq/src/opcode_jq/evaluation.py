"""What the guarded process does: compile, keep, run."""

from __future__ import annotations

import re
from functools import lru_cache

import jq  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_OUTPUT = 8 * 2**20
"""Characters of all outputs together."""

MAX_OUTPUTS = 1_000_000

_ALONE = re.compile(r"(?:\s|#[^\n]*\n)*(?:import|include|module)\b")


def evaluate(request: dict[str, Any]) -> list[str]:
    """The outputs of `source` over the JSON text `input`, each as JSON text; none without `input`.

    Raises:
        SyntaxError: it is no program.
        ValueError: it fails.
    """
    program = compiled(request["source"])
    return _run(program, request["input"]) if "input" in request else []


@lru_cache(maxsize=256)
def compiled(source: str) -> Any:
    """The program, whose outputs are put out as JSON text: exact, and without a detour over Python's values.

    Raises:
        SyntaxError: with jq's words, and where it is.
    """
    if "\0" in source:
        raise SyntaxError("jq: there is a NUL character in the program")
    try:
        if _ALONE.match(source):
            raise SyntaxError("jq: a program stands alone here: no import, include or module")
        jq.compile(source)  # alone first: what is put around it must not make it whole
        return jq.compile(f"({source}\n) | tojson")
    except ValueError as error:
        raise SyntaxError(_told(str(error))) from None


def _run(program: Any, text: str) -> list[str]:
    outputs: list[str] = []
    length = 0
    try:
        for output in program.input_text(text):
            if type(output) is not str:  # the binding gives None when it has no memory for a text
                raise MemoryError
            length += len(output)
            outputs.append(output)
            if length > MAX_OUTPUT or len(outputs) > MAX_OUTPUTS:
                raise ValueError("it puts out too much; bound it with limit(n; …) or first(…)")
    except ValueError as error:
        raise ValueError(_reason(str(error))) from None
    return outputs


def _reason(message: str) -> str:
    return "there is no further input" if message == "break" else message


def _told(message: str) -> str:
    """The report of jq on one line: the first fault, its place, and the line that it is in."""
    lines = [line.rstrip() for line in message.splitlines() if line.strip()]
    first = lines[0].removeprefix("jq: error: ").replace(" at <top-level>,", " at")
    shown = [line.strip() for line in lines[1:2] if line.startswith("    ")]
    return f"jq: {first.rstrip(':')}" + (f" in: {shown[0][:100]}" if shown else "")


# All that is needed is loaded now, as nothing can be opened later.
evaluate(
    {
        "source": '[.[] | tostring, (. * 1 | now - . | gmtime | mktime)] | length, ("a" | test("A"; "i"))',
        "input": "[1]",
    }
)
