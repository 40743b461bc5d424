"""Any text within Mermaid's quotes."""

import re
from typing import Final

from opcode_core import Node, node_words, plain_text, wrap_text

_SAFE: Final = frozenset(" ,/=()")  # Markdown, directives and icons are made of others
_MEANT: Final = re.compile(r"fa[bklrs]?:(?=fa-)|\$(?=\$)|\\(?=n)")
"""Icons, formulas and ends of lines mean something however they are written; a space of no width ends that."""


def node_text(node: Node) -> str:
    """Its name, what it does and how it stands, a line each."""
    words = node_words(node)
    rest = [quoted(line) for line in (words.detail, words.state) if line]
    return "<br/>".join([f"<b>{quoted(words.name)}</b>", *rest])


def edge_text(text: str) -> str:
    """A few words beside an arrow; empty when there is nothing to say."""
    return "".join(quoted(line) for line in wrap_text(plain_text(text), 30, 1))


def quoted(text: str) -> str:
    """Letters, digits and what is not ASCII as they are; most else by number, so that nothing has a meaning."""
    text = _MEANT.sub(lambda found: f"{found[0]}\u200b", text)
    return "".join(
        char if _is_harmless(char) or (char in "._-" and _is_inside(text, place)) else f"#{ord(char)};"
        for place, char in enumerate(text)
    )


def _is_inside(text: str, place: int) -> bool:
    """Whether a sign stands within a word, where Markdown makes nothing of it."""
    around = text[max(place - 1, 0) : place] + text[place + 1 : place + 2]
    return (
        len(around) == 2
        and around.isascii()
        and around.isalnum()
        and text[:place].lower()[-3:] != "www"  # else it is a link
    )


def _is_harmless(char: str) -> bool:
    if char.isascii():
        return char.isalnum() or char in _SAFE
    return char not in "ﬂ¶"  # with which Mermaid marks its own entities


def front_matter(title: str) -> str:
    """The title as YAML; nothing without one."""
    line = "".join(wrap_text(plain_text(title), 100, 1))
    if not line:
        return ""
    text = "".join(char if _is_harmless(char) or char in "._-" else _by_number(char) for char in line)
    return f'---\ntitle: "{text}"\n---\n'


def _by_number(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
