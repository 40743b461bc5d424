"""How values look: times, durations, statuses, JSON."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

from opcode_core import format_duration

MARKS = {
    "completed": "✓",
    "failed": "✗",
    "cancelled": "⊘",
    "suspended": "‖",
    "active": "▶",
    "running": "▶",
    "retrying": "↻",
    "skipped": "→",
    "resolved": "✓",
    "rejected": "✗",
    "timed_out": "⌛",
    "pending": "·",
    "scheduled": "·",
}
ON_ONE_LINE = 80
FOLDED = 600
"""Characters of JSON beyond which a value is folded."""
FIRST = 160
"""Characters of a folded value that are seen."""
MOST = 200_000
"""Characters of a value beyond which a page does not show it."""
MOST_ROWS, MOST_COLUMNS = 50, 8
SHORT = 8
COPY = Markup('<button type="button" class="copy quiet" data-copies>copy</button>')
_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*+")(?P<colon>\s*:)?|\b(?P<word>true|false|null)\b"""
    r"""|(?P<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|(?P<rest>[<>&"'])""",
    re.DOTALL,
)


def status(value: str) -> Markup:
    """A badge that says it by word, mark and colour."""
    return Markup('<span class="status {}"><span aria-hidden="true">{}</span> {}</span>').format(
        re.sub("[^a-z]", "", value), MARKS.get(value, "·"), value.replace("_", " ")
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
    shown = Markup('<div class="value">{}<pre class="json" tabindex="0">{}</pre></div>').format(
        COPY, _colour(text[:MOST]) if len(text) <= MOST else text[:MOST] + f"\n… of {len(text):,} characters"
    )
    if len(text) <= folded:
        return shown
    size = plural(len(text), "character")
    return Markup(
        '<details class="fold"><summary><span class="first">{}</span> <small>{}</small></summary>{}</details>'
    ).format(line[:FIRST], size, shown)


def readable(value: Any) -> Markup:
    """Values by name as people read them: words as words, rows of things as a table, all else as JSON."""
    if not isinstance(value, Mapping) or not value:
        return coloured(value)
    parts = [Markup("<dt>{}</dt><dd>{}</dd>").format(name, _plain(part)) for name, part in value.items()]
    return Markup('<dl class="values">{}</dl>').format(Markup("").join(parts))


def _plain(value: Any) -> Markup:
    rows = _rows(value)
    if rows:
        head = Markup("").join(Markup('<th scope="col">{}</th>').format(name) for name in rows[0])
        body = Markup("").join(
            Markup("<tr>{}</tr>").format(
                Markup("").join(Markup("<td>{}</td>").format(_word(cell)) for cell in row.values())
            )
            for row in rows
        )
        return Markup(
            '<div class="scroll" tabindex="0"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
        ).format(head, body)
    return coloured(value) if isinstance(value, (Mapping, list)) else Markup("{}").format(_word(value))


def _rows(value: Any) -> list[Mapping[str, Any]]:
    """A list of flat things that all have the same names; what is alone in a thing stands for it."""
    if not isinstance(value, list) or not 0 < len(value) <= MOST_ROWS:
        return []
    rows = [next(iter(row.values())) if isinstance(row, Mapping) and len(row) == 1 else row for row in value]
    if not all(isinstance(row, Mapping) and 0 < len(row) <= MOST_COLUMNS for row in rows):
        return []
    flat = all(not isinstance(cell, (Mapping, list)) for row in rows for cell in row.values())
    return rows if flat and all(list(row) == list(rows[0]) for row in rows) else []


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def short(run_id: str) -> str:
    """The end of an id: its beginning is the time, which neighbours share."""
    return run_id if len(run_id) <= SHORT else "…" + run_id[-SHORT:]


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
    return Markup(_TOKEN.sub(_span, text))  # noqa: S704 - all that is in it is escaped


def _span(token: re.Match[str]) -> str:
    kind = token.lastgroup or ""
    if kind == "rest":
        return str(escape(token["rest"]))
    if kind == "colon":
        return f'<span class="key">{escape(token["string"])}</span>{token["colon"]}'
    return f'<span class="{kind}">{escape(token[kind])}</span>'


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
    "readable": readable,
    "short": short,
    "part": part,
    "anchor": anchor,
}
