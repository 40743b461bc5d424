"""What goes to standard output: pictures and tables for people, JSON for programs."""

import json
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDE = 500
"""Columns where standard output is no terminal, so that a row of a table stays one line."""


def show(*what: "RenderableType") -> None:
    """Print for people: coloured and as wide as the terminal; elsewhere plain, a row a line."""
    _print(sys.stdout, *what)


def tell(*what: "RenderableType") -> None:
    """The same on standard error, for what is said beside the output."""
    sys.stdout.flush()
    _print(sys.stderr, *what)


def _print(stream: TextIO, *what: "RenderableType") -> None:
    from io import StringIO

    from rich.console import Console

    console = Console(file=stream, highlight=False)
    if console.is_terminal:
        console.print(*what, sep="\n", crop=False)  # what shall be copied is longer than a line
        return
    lines = StringIO()
    Console(file=lines, width=WIDE, highlight=False, color_system=None).print(*what, sep="\n")
    for line in lines.getvalue().splitlines():
        print(line.rstrip(), file=stream)


def print_json(value: Any) -> None:
    """Indented JSON on standard output; coloured on a terminal, where no control character gets through."""
    in_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    text = json.dumps(value, indent=2, ensure_ascii=not in_unicode, default=str)
    if not sys.stdout.isatty():
        print(text)
        return
    from rich.console import Console
    from rich.highlighter import JSONHighlighter
    from rich.text import Text

    # Outside of texts JSON is ASCII, so what is not printable stands in one and may be written as an escape.
    safe = "".join(char if char.isprintable() or char == "\n" else _escaped(char) for char in text)
    Console(soft_wrap=True).print(JSONHighlighter()(Text(safe)), highlight=False)


def _escaped(char: str) -> str:
    return json.dumps(char, ensure_ascii=True)[1:-1]
