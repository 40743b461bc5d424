"""How values look: times, durations, statuses, JSON."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

from opcode_core import format_duration

MARKS = {
    "completed": "✓",
    "failed": "✗",
    "cancelled": "⊘",
    "suspended": "⏸",
    "active": "▶",
    "running": "▶",
    "retrying": "↻",
    "skipped": "→",
    "pending": "·",
    "scheduled": "·",
}
ON_ONE_LINE = 80
FOLDED = 600
"""Characters of JSON beyond which a value is folded."""
_TOKEN = re.compile(
    r'("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)', re.DOTALL
)


def status(value: str) -> Markup:
    """A badge that says it by word, mark and colour."""
    return Markup('<span class="status {}"><span aria-hidden="true">{}</span> {}</span>').format(
        re.sub("[^a-z]", "", value), MARKS.get(value, "·"), value
    )


def duration(milliseconds: float | None) -> str:
    """`1.2s`; empty when it is not known."""
    return "" if milliseconds is None else format_duration(round(milliseconds) / 1000)


def when(iso: str | None) -> Markup:
    """How long ago, with the exact time behind it."""
    if iso is None:
        return Markup("")
    seconds = (datetime.now(UTC) - datetime.fromisoformat(iso)).total_seconds()
    return Markup('<time datetime="{}" title="{}">{}</time>').format(iso, iso, _ago(seconds))


def coloured(value: Any, folded: int = FOLDED) -> Markup:
    """JSON with its parts in colour; a value of more characters is folded."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) <= ON_ONE_LINE:
        return Markup('<code class="json">{}</code>').format(_colour(line))
    text = json.dumps(value, indent=2, ensure_ascii=False)
    shown = Markup('<pre class="json">{}</pre>').format(_colour(text))
    if len(text) <= folded:
        return shown
    size = f"{len(text):,} characters"
    first = text[:80].replace("\n", " ")
    return Markup("<details><summary>{} … <small>{}</small></summary>{}</details>").format(first, size, shown)


def plural(number: int, noun: str) -> str:
    """`1 run`, `1,200 runs`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def part(text: str) -> str:
    """A text as one part of a path."""
    return quote(text, safe="")


def anchor(step_id: str) -> str:
    """A step's place on its run's page."""
    return "step-" + quote(step_id, safe="")


def _colour(text: str) -> Markup:
    pieces, last = [], 0
    for token in _TOKEN.finditer(text):
        string, colon, word, number = token.groups()
        kind = "key" if colon else "string" if string else "word" if word else "number"
        pieces.append(escape(text[last : token.start()]))
        pieces.append(Markup('<span class="{}">{}</span>').format(kind, string or word or number))
        pieces.append(escape(colon or ""))
        last = token.end()
    return Markup("").join([*pieces, escape(text[last:])])


def _ago(seconds: float) -> str:
    if -1 < seconds < 1:
        return "now"
    amount = abs(seconds)
    for length, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if amount >= length:
            text = f"{int(amount // length)} {name}"
            return f"{text} ago" if seconds > 0 else f"in {text}"
    return "now"


FILTERS: dict[str, Callable[..., Any]] = {
    "status": status,
    "duration": duration,
    "when": when,
    "coloured": coloured,
    "plural": plural,
    "part": part,
    "anchor": anchor,
}
