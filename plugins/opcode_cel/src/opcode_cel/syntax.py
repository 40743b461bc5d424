"""From source text to a small tree: celpy parses, what the tree does not need is taken out."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from celpy.celparser import CELParseError, CELParser
from lark import Token, Tree

from opcode_cel.hints import invalid, misread
from opcode_cel.literals import literal

Node: TypeAlias = Tree[Any]

MAX_DEPTH = 64
"""How deep brackets, calls and operators may lie inside each other."""

# Rules that only stand for their one child.
_WRAPPERS = {
    *("expr", "conditionalor", "conditionaland", "relation", "addition", "multiplication"),
    *("unary", "member"),
}
_NESTING = {
    *("list_lit", "map_lit", "ident_arg", "member_dot", "member_index", "member_dot_arg", "member_object"),
    *("unary", "expr"),
}
BINARY = frozenset({"relation", "addition", "multiplication"})
LOGICAL = frozenset({"conditionalor", "conditionaland"})


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed expression.

    Attributes:
        text: as its author wrote it.
        tree: celpy's, without the nodes that only wrap another; a `literal` holds its value.
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
    try:
        # Not Environment.compile: it parses what another thread may just have put there. A
        # parser object costs nothing, the grammar behind it is shared.
        tree = CELParser().parse(text)
    except CELParseError as error:
        raise misread(text, error.line, error.column) from None
    root = Tree("root", [tree])
    # Children come before their parents here, and no recursion is needed.
    for node in root.iter_subtrees():
        node.children = [_unwrapped(child, text) for child in node.children]
    _check_depth(root, text)
    return Source(text, root.children[0])


def _unwrapped(child: Any, text: str) -> Any:
    if not isinstance(child, Tree):
        return child
    if child.data in _WRAPPERS and len(child.children) == 1:
        return child.children[0]
    if child.data == "primary":
        inner: Any = child.children[0]
        if inner.data == "paren_expr":
            # Its depth still counts, see below.
            inside = inner.children[0]
            inside.meta.parens = getattr(inside.meta, "parens", 0) + 1
            return inside
        if inner.data == "literal":
            return _constant(inner, text)
    return child


def _constant(node: Node, text: str) -> Node:
    token: Any = node.children[0]
    try:
        return Tree("constant", [literal(token.type, str(token))], node.meta)
    except ValueError as error:
        raise invalid(str(error), text, token.start_pos or 0) from None


def _check_depth(root: Node, text: str) -> None:
    """Chains (`a && b && …`, `a + b + …`, `a ? b : c ? …`) are walked without recursion: they are not deep."""
    depths: dict[int, int] = {}
    for node in root.iter_subtrees():
        below = [depths[id(child)] for child in node.children if isinstance(child, Tree)]
        deepest = max(below, default=0)
        if node.data in BINARY or node.data in LOGICAL:
            deepest = max([below[0], *(depth + 1 for depth in below[1:])])
        elif node.data == "expr" and len(below) == 3:
            deepest = max(below[0] + 1, below[1] + 1, below[2])
        elif node.data in _NESTING:
            deepest += 1
        depths[id(node)] = deepest + getattr(node.meta, "parens", 0)
        if depths[id(node)] > MAX_DEPTH:
            message = f"the expression is nested too deeply: at most {MAX_DEPTH} levels"
            raise invalid(message, text, node.meta.start_pos)


def leftmost_name(node: Any) -> Token | None:
    """The name that a path such as `steps.a['b'].c` begins with; None when it is no path."""
    while isinstance(node, Tree) and node.data in {"member_dot", "member_index"}:
        node = node.children[0]
    if not isinstance(node, Tree) or node.data != "primary":
        return None
    inner: Any = node.children[0]
    return inner.children[0] if inner.data == "ident" else None
