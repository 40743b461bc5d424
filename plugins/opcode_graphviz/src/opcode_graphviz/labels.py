"""What stands in a node, as Graphviz's HTML-like labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from opcode_core import Node, node_words, plain_text, text_columns, wrap_text

_NAME, _REST, _TITLE = 12, 10, 15  # points
_GAP: Final = "\N{NO-BREAK SPACE}"
_SAFE: Final = frozenset(" _-.,:;/()=+?!")
_MARGINS: Final = 0.36  # inches


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text in one font; `size` in points."""

    text: str
    size: int
    bold: bool = False


def node_lines(node: Node, room: int = 26) -> list[Line]:
    """Its name in bold, then what it does, then how it stands; lines of about `room` columns."""
    words = node_words(node, 2 * room)
    lines = [Line(line, _NAME, bold=True) for line in wrap_text(words.name, room, 2)]
    lines += [Line(line, _REST) for line in wrap_text(words.detail, room + 4, 2)]
    return lines + ([Line(words.state, _REST)] if words.state else [])


def width(lines: Sequence[Line]) -> float | None:
    """Inches that a box needs for words of which Graphviz may not know how wide they are; None where it knows."""
    if all(line.text.isascii() for line in lines):
        return None
    return max(text_columns(line.text) * line.size * 0.55 for line in lines) / 72 + _MARGINS


def title_label(title: str, description: str) -> str:
    """What stands above the whole."""
    lines = [Line(line, _TITLE, bold=True) for line in wrap_text(plain_text(title), 60, 2)]
    return label(lines + [Line(line, _REST) for line in wrap_text(description, 90, 2)] + [Line(_GAP, _REST)])


def edge_label(text: str, room: int = 24) -> str:
    """A few words beside an arrow."""
    (line,) = wrap_text(plain_text(text), room, 1) or [""]
    return label([Line(f"{_GAP}{line}{_GAP}", _REST)])


def label(lines: Sequence[Line]) -> str:
    """The lines below each other."""
    return f"<{'<BR/>'.join(map(_marked, lines))}>"


def _marked(line: Line) -> str:
    text = "".join(_escaped(line.text))
    return f'<FONT POINT-SIZE="{line.size}">{f"<B>{text}</B>" if line.bold else text}</FONT>'


def _escaped(text: str) -> Iterator[str]:
    """Only letters, digits and a few signs as they are; all else by number."""
    for char in text:
        if char == "\\":  # doubled, because a single one makes a name of the letter after it
            yield "&#92;&#92;"
        elif char in _SAFE or char.isalnum() or not char.isascii():
            yield char
        else:
            yield f"&#{ord(char)};"
