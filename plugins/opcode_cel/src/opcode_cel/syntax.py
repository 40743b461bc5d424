"""From source text to a small tree: the grammar reads it, what nobody needs is taken out."""

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

from lark import Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from opcode_cel.grammar import parser
from opcode_cel.hints import cut_short, invalid, misread
from opcode_cel.literals import literal

Node: TypeAlias = Tree[Any]

MAX_DEPTH = 64
"""How deep brackets, calls and operators may lie inside each other."""

MAX_TOKENS = 10_000
"""Names, literals, operators and brackets of one expression; half a second of parsing, and 40 MiB for its tree."""

NAMESPACES = frozenset({"math", "lists", "sets", "strings"})
"""What stands before the name of some functions, as in `math.abs(x)`, and is no value."""

BINARY = frozenset({"relation", "addition", "multiplication"})
LOGICAL = frozenset({"conditionalor", "conditionaland"})

_NESTING = {
    *("list_lit", "map_lit", "ident_arg", "member_dot", "member_index", "member_dot_arg", "member_object"),
    *("unary", "expr"),
}
# What a source is made of as far as quotes and brackets go: strings, comments, brackets, the rest.
_PIECE = re.compile(
    r"""[bB]?[rR](?:"{3}[\s\S]*?"{3}|'{3}[\s\S]*?'{3}|"[^"\n\r]*"|'[^'\n\r]*')"""
    r"""|[bB]?(?:"{3}(?:[^"\\]++|\\[\s\S]|"(?!""))*+"{3}|'{3}(?:[^'\\]++|\\[\s\S]|'(?!''))*+'{3})"""
    r"""|[bB]?(?:"(?:[^"\\\n\r]++|\\[^\n\r])*+"|'(?:[^'\\\n\r]++|\\[^\n\r])*+')"""
    r"""|//[^\n]*|(?P<open>[(\[{])|(?P<close>[)\]}])|\w+|\s+|[^'"\s]"""
)


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed expression.

    Attributes:
        text: as its author wrote it.
        tree: celpy's, without the nodes that only wrap another; a `constant` holds its value.
    """

    text: str
    tree: Node

    def of(self, node: Node) -> str:
        """The piece of the text that `node` was made from."""
        return self.text[node.meta.start_pos : node.meta.end_pos]


def parse(text: str) -> Source:
    """Parse.

    Raises:
        OpcodeError: VALIDATION_ERROR that names the place and, where it can, the remedy.
    """
    if not text.strip():
        raise invalid("the expression is empty", text, 0)
    _check_pieces(text)
    try:
        root: Node = Tree("root", [parser().parse(text)])
    except UnexpectedToken as error:
        if error.token.type == "$END":
            raise cut_short(text) from None
        raise misread(text, error.token.start_pos or 0) from None
    except UnexpectedCharacters as error:
        position: Any = error.pos_in_stream
        raise misread(text, position) from None
    # Children come before their parents here, and no recursion is needed.
    for node in root.iter_subtrees():
        node.children = [_unwrapped(child, text) for child in node.children]
    _check_depth(root, text)
    return Source(text, root.children[0])


def _check_pieces(text: str) -> None:
    """Find what would cost the parser too much: deep brackets, strings that are not closed, too many parts."""
    position = depth = count = 0
    while position < len(text):
        match = _PIECE.match(text, position)
        if match is None:
            raise invalid("the string is not closed", text, position)
        depth += 1 if match["open"] else -1 if match["close"] else 0
        if depth > MAX_DEPTH:
            raise _too_deep(text, position)
        count += not match[0].isspace()
        if count > MAX_TOKENS:
            raise invalid(f"the expression has more than {MAX_TOKENS:,} parts", text, position)
        position = match.end()


def _unwrapped(child: Any, text: str) -> Any:
    if isinstance(child, Token):
        return Token.new_borrow_pos("IDENT", child[1:-1], child) if child.type == "QUOTED" else child
    if child.data == "member_dot_arg":
        return _qualified(child)
    if child.data == "primary":
        inner: Any = child.children[0]
        if inner.data == "paren_expr":
            return inner.children[0]
        if inner.data == "literal":
            return _constant(inner, text)
    return child


def _qualified(node: Node) -> Node:
    """`math.abs(x)` is no method of `math`, but a function of that name."""
    receiver, name, *arguments = node.children
    space = leftmost_name(receiver) if receiver.data == "primary" else None
    if space not in NAMESPACES:
        return node
    token = Token.new_borrow_pos("IDENT", f"{space}.{name}", space)
    return Tree("primary", [Tree("ident_arg", [token, *arguments], node.meta)], node.meta)


def _constant(node: Node, text: str) -> Node:
    token: Any = node.children[0]
    try:
        return Tree("constant", [literal(token.type, str(token))], node.meta)
    except ValueError as error:
        raise invalid(str(error), text, token.start_pos) from None


def _check_depth(root: Node, text: str) -> None:
    """Chains (`a && b && …`, `a + b + …`, `a ? b : c ? …`) are walked without recursion: they are not deep."""
    depths: dict[int, int] = {}
    for node in root.iter_subtrees():
        below = [depths[id(child)] for child in node.children if isinstance(child, Tree)]
        deepest = max(below, default=0)
        if node.data in BINARY or node.data in LOGICAL:
            deepest = max(below[0], below[1] + 1)
        elif node.data == "expr":
            deepest = max(below[0] + 1, below[1] + 1, below[2])
        elif node.data in _NESTING:
            deepest += 1
        depths[id(node)] = deepest
        if deepest > MAX_DEPTH:
            raise _too_deep(text, node.meta.start_pos)


def _too_deep(text: str, position: int) -> Exception:
    return invalid(f"the expression is nested too deeply: at most {MAX_DEPTH} levels", text, position)


def leftmost_name(node: Any) -> Token | None:
    """The name that a path such as `steps.a['b'].c` begins with; None when it is no path."""
    while isinstance(node, Tree) and node.data in {"member_dot", "member_index"}:
        node = node.children[0]
    if not isinstance(node, Tree) or node.data != "primary":
        return None
    inner: Any = node.children[0]
    return inner.children[0] if inner.data == "ident" else None
