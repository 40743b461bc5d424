"""What can be known to be wrong before anything is evaluated."""

from typing import Any

from lark import Token, Tree

from opcode_cel.functions import FORMS, FUNCTIONS, MACROS
from opcode_cel.hints import RESERVED, function_trouble, hyphened, invalid, misread, name_trouble
from opcode_cel.syntax import Node, Source, leftmost_name

ROOTS = frozenset({"steps", "inputs", "workflow", "context", "iter", "data"})


def check(source: Source) -> None:
    """Unknown functions, wrong numbers of arguments, reserved names, hyphens that read as minus.

    Raises:
        OpcodeError: VALIDATION_ERROR.
    """
    nodes = list(source.tree.iter_subtrees())
    variables = {name for node in nodes if (name := _variable(node)) is not None}
    # Bottom-up order: the innermost trouble is the one to tell.
    for node in nodes:
        inspect = _INSPECTIONS.get(node.data)
        if inspect is not None:
            inspect(source, node, variables)


def arguments_of(node: Node) -> list[Any]:
    """The trees of a call's arguments, without the receiver, or of a list's items."""
    last = node.children[-1] if node.children else None
    return list(last.children) if isinstance(last, Tree) and last.data == "exprlist" else []


def _token(child: Any) -> Token:
    assert isinstance(child, Token)
    return child


def _variable(node: Node) -> str | None:
    """The name that a macro binds."""
    if node.data != "member_dot_arg" or node.children[1] not in MACROS or not arguments_of(node):
        return None
    variable = arguments_of(node)[0]
    name = leftmost_name(variable)
    return str(name) if name is not None and variable.data == "primary" else None


def _name(source: Source, node: Node, variables: set[str]) -> None:
    token = _token(node.children[0])
    trouble = None if token in variables and token not in RESERVED else name_trouble(token)
    if trouble is not None:
        raise invalid(trouble, source.text, token.start_pos or 0)


def _call(source: Source, node: Node, variables: set[str]) -> None:  # noqa: ARG001
    token = _token(node.children[0])
    count = len(arguments_of(node))
    if token in FORMS:
        _count(source, token, count, FORMS[token], FORMS[token])
        if token.value == "has":
            _has(source, node)
        return
    if token in MACROS:
        raise invalid(f"{token}() is written list.{token}(x, …)", source.text, token.start_pos or 0)
    _function(source, token, count)


def _method(source: Source, node: Node, variables: set[str]) -> None:  # noqa: ARG001
    token = _token(node.children[1])
    count = len(arguments_of(node))
    if token in FORMS:
        raise invalid(f"{token}() is written {token}(a.b, …)", source.text, token.start_pos or 0)
    if token not in MACROS:
        _function(source, token, count + 1, receiver=1)
        return
    _count(source, token, count, *MACROS[token])
    if _variable(node) is None:
        message = f"the first argument of {token}() is the name of a variable"
        raise invalid(message, source.text, arguments_of(node)[0].meta.start_pos)


def _function(source: Source, token: Token, count: int, receiver: int = 0) -> None:
    function = FUNCTIONS.get(token)
    if function is None:
        raise invalid(
            function_trouble(token, [*FUNCTIONS, *FORMS, *MACROS]), source.text, token.start_pos or 0
        )
    least, most = function.least - receiver, function.most - receiver
    _count(source, token, count - receiver, least, most)


def _count(source: Source, token: Token, count: int, least: int, most: int) -> None:
    if least <= count <= most:
        return
    wanted = f"{least}" if least == most else f"{least} to {most}"
    plural = "" if wanted == "1" else "s"
    message = f"{token}() takes {wanted} argument{plural}, not {count}"
    raise invalid(message, source.text, token.start_pos or 0)


def _has(source: Source, node: Node) -> None:
    argument = arguments_of(node)[0]
    if not isinstance(argument, Tree) or argument.data not in {"member_dot", "member_index"}:
        raise invalid("has() asks for a part of something: has(a.b)", source.text, node.meta.start_pos)


def _message(source: Source, node: Node, variables: set[str]) -> None:  # noqa: ARG001
    raise invalid("there are no message types; a map is {'key': value}", source.text, node.meta.start_pos)


def _dotted_call(source: Source, node: Node, variables: set[str]) -> None:  # noqa: ARG001
    raise invalid("a function has no leading dot", source.text, node.meta.start_pos)


def _minus(source: Source, node: Node, variables: set[str]) -> None:
    """`steps.review-gate`: no spaces around the minus, and no name that is known after it."""
    left, right = node.children[0], node.children[1]
    if left.data != "addition_sub":
        return
    name = leftmost_name(right)
    path = left.children[0]
    if name is None or name in ROOTS or name in variables or leftmost_name(path) is None:
        return
    if source.text[path.meta.end_pos : right.meta.start_pos] == "-":
        hint = hyphened(source.text, path.meta.start_pos)
        if hint is not None:
            raise invalid(hint, source.text, path.meta.start_pos)


def _in(source: Source, node: Node, variables: set[str]) -> None:  # noqa: ARG001
    """The grammar reads `a inputs` as `a in puts`."""
    start = node.children[1].meta.start_pos
    if node.children[0].data == "relation_in" and source.text[start - 1 : start + 1].isidentifier():
        raise misread(source.text, start - 2)


_INSPECTIONS = {
    "relation": _in,
    "ident": _name,
    "dot_ident": _name,
    "ident_arg": _call,
    "dot_ident_arg": _dotted_call,
    "member_dot_arg": _method,
    "member_object": _message,
    "addition": _minus,
}
