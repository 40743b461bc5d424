"""How a node looks in every drawing: its words, short and harmless, and its colours."""

import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from opcode_core.diagram import Diagram, Node
from opcode_core.durations import format_duration

ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Paint:
    """Colours as `#rrggbb`: `ink` is that of the words, readable on `fill` (a contrast of 4.5 and more)."""

    fill: str
    border: str
    ink: str = "#ffffff"
    dashed: bool = False


PLAIN: Final = Paint("#ffffff", "#5a6675", "#1b2430")
"""Without a status."""
PAINTS: Final[Mapping[str, Paint]] = {
    "completed": Paint("#2d6a2d", "#1f4a1f"),
    "failed": Paint("#8b1a1a", "#5f1010"),
    "running": Paint("#1a5276", "#103750"),
    "retrying": Paint("#1a5276", "#e0a030", dashed=True),
    "suspended": Paint("#b7791a", "#7d5110", "#1a1000"),  # white would be too faint on amber
    "scheduled": Paint("#6b6b6b", "#c2c2c2"),
    "pending": Paint("#6b6b6b", "#4a4a4a"),
    "skipped": Paint("#454545", "#a8a8a8", dashed=True),
}


def status_paint(status: str | None) -> Paint:
    """The colours of a status; of one that nobody knows, those of pending."""
    return PLAIN if status is None else PAINTS.get(status, PAINTS["pending"])


@dataclass(frozen=True, slots=True)
class Words:
    """What stands in a node, a line each; all but `name` may be empty."""

    name: str
    detail: str
    state: str


def node_words(node: Node, room: int = 48) -> Words:
    """The node's words in lines of at most `room` columns.

    A name is cut in its middle, because names often differ only at their ends.
    """
    state = plain_text(node.status or "") if node.kind != "more" else ""  # its detail counts them all
    if node.duration is not None:
        state = f"{state} {format_duration(node.duration)}".strip()
    name = shortened(plain_text(node.label), room, tail=room // 3)
    return Words(name or "(no name)", shortened(plain_text(node.detail), room), state)


def describe_diagram(diagram: Diagram) -> str:
    """A diagram for those who do not see it: `7 steps: 5 completed, 1 failed (lint), 1 skipped`."""
    steps = [node for node in diagram.steps() if node.kind != "more"]
    text = f"{len(steps)} step{'' if len(steps) == 1 else 's'}"
    counts = Counter(plain_text(step.status) for step in steps if step.status is not None)
    failed = [node_words(step, 24).name for step in steps if step.status == "failed"]
    named = ", ".join(failed[:3]) + (f" and {len(failed) - 3} more" if len(failed) > 3 else "")
    told = [
        f"{count} {status}" + (f" ({named})" if status == "failed" else "")
        for status, count in counts.most_common()
    ]
    return f"{text}: {', '.join(told)}" if told else text


def plain_text(text: str) -> str:
    """One line of text that every format can hold.

    White space becomes single spaces, control characters become their pictures (NUL is `␀`), and what turns
    the direction of writing, hides or is no character at all is gone or `�`. Letters of all scripts and emoji stay.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    return " ".join("".join(map(_visible, text[:2000])).split())


def _visible(char: str) -> str:
    if char.isspace():
        return " "
    code = ord(char)
    match unicodedata.category(char):
        case "Cc":
            return chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else "�"
        case "Cs" | "Co":
            return "�"
        case "Cn":
            return "�" if code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF else char
        case "Cf":
            return char if char == "\u200d" else ""  # it joins emoji
    return char


def text_columns(text: str) -> int:
    """About the width of `text`, in letters of a middling width."""
    return sum(map(_columns, text))


def _columns(char: str) -> int:
    if char.isascii():
        return 1
    if unicodedata.combining(char) or char in "\u200d\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def shortened(text: str, room: int, tail: int = 0) -> str:
    """`text` in at most `room` columns, with `tail` of them kept for its end."""
    if text_columns(text) <= room:
        return text
    end = _taken(text[::-1], tail)[::-1]
    return _taken(text, room - 1 - text_columns(end)).rstrip() + ELLIPSIS + end.lstrip()


def _taken(text: str, room: int) -> str:
    for place, char in enumerate(text):
        room -= _columns(char)
        if room < 0:
            return text[:place]
    return text


def wrap_text(text: str, room: int, most: int = 3) -> list[str]:
    """`text` in lines of at most `room` columns, at most `most` of them; words are cut only where they must."""
    lines: list[str] = []
    while text and len(lines) < most:
        if text_columns(text) <= room or len(lines) == most - 1:
            lines.append(shortened(text, room))
            break
        line = _taken(text, room)
        space = line.rfind(" ") if text[len(line)] != " " else len(line)
        line = line[:space] if space > len(line) // 3 else line
        lines.append(line.rstrip())
        text = text[len(line) :].lstrip()
    return lines
