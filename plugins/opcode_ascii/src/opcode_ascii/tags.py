"""A step's state in a few characters."""

from collections import Counter
from collections.abc import Iterable

from opcode_ascii.text import shorten, shorten_name
from opcode_core import Node, format_duration

_TAGS = {
    "completed": "[OK]",
    "failed": "[FAIL]",
    "running": "[RUN]",
    "suspended": "[WAIT]",
    "retrying": "[RETRY]",
    "pending": "[PEND]",
    "scheduled": "[PEND]",
    "skipped": "[SKIP]",
}
_ORDER = {tag: place for place, tag in enumerate(dict.fromkeys(_TAGS.values()))}
_QUIET = {"completed", "pending", "scheduled", "skipped"}
_MOST_NAMED = 3
_LONGEST_NAME = 20


def tag(node: Node) -> str:
    """`[OK]`, or nothing without a run."""
    if node.status is None:
        return ""
    return _TAGS.get(node.status) or f"[{shorten(node.status.upper(), 8)}]"


def state(node: Node) -> str:
    """`[OK] 1.2s`."""
    if node.duration is None:
        return tag(node)
    return f"{tag(node)} {format_duration(node.duration)}".strip()


def wants_attention(node: Node) -> bool:
    """Whether a person who looks at the run wants to see this step first."""
    return node.status is not None and node.status not in _QUIET


def counts(nodes: Iterable[Node]) -> str:
    """`3 [OK], 1 [FAIL]`, or nothing without a run."""
    found = Counter(tag(node) for node in nodes if node.status is not None)
    ordered = sorted(found.items(), key=lambda item: _ORDER.get(item[0], len(_ORDER)))
    return ", ".join(f"{count} {name}" for name, count in ordered)


def failures(nodes: Iterable[Node]) -> str:
    """The names of the steps that failed, at most a few of them."""
    failed = [node.label for node in nodes if node.status == "failed"]
    named = ", ".join(shorten_name(label, _LONGEST_NAME) for label in failed[:_MOST_NAMED])
    return named + (f" and {len(failed) - _MOST_NAMED} more" if len(failed) > _MOST_NAMED else "")
