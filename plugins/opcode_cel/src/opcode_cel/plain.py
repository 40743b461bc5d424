"""The direct path: plain conditions as Python closures, without the interpreter.

Paths and literals, compared, added up, negated, joined by `&&` and `||`: most guards are nothing
else. A closure only ever answers when the answer is beyond doubt. For everything else, all errors
included, it raises, and the interpreter decides; so the two cannot differ in what they refuse.
"""

from collections.abc import Callable
from math import isfinite
from typing import Any

from lark import Tree

from opcode_cel.access import holds_steps, settled
from opcode_cel.checks import arguments_of
from opcode_cel.closures import AGAINST_LITERAL, OPERATIONS, SCALARS, Closure, Scope, UnsureError
from opcode_cel.syntax import BINARY, Node
from opcode_core import StepView

LONGEST_CHAIN = 32
"""Operators in a row; each takes a frame of the stack."""


DOUBTS = (UnsureError, LookupError, TypeError, AttributeError, ArithmeticError)
"""What a closure raises instead of answering; Python's own errors of a path included."""


def plain(tree: Node) -> Closure | None:
    """The closure for a whole expression, or None when it is not of the plain kind.

    Its result is JSON already.
    """
    closure = _closure(tree)
    return None if closure is None else _answer(closure)


def _answer(closure: Closure) -> Closure:
    def answer(scope: Scope) -> Any:
        value = closure(scope)
        cls = type(value)
        if cls is bool or cls is int or cls is str or value is None or cls is list:
            return value
        if cls is dict and not holds_steps(value):
            return value
        if cls is float and isfinite(value):
            return value
        raise UnsureError

    return answer


def _closure(tree: Any) -> Closure | None:
    make = _MAKERS.get(tree.data) if isinstance(tree, Tree) else None
    return make(tree) if make else None


# ---- operands -------------------------------------------------------------------------------------


def _constant(tree: Node) -> Closure | None:
    value = tree.children[0]
    return (lambda _: value) if type(value) in SCALARS else None


def _primary(tree: Node) -> Closure | None:
    child = tree.children[0]
    if child.data == "ident":
        return _path(tree)
    if child.data == "ident_arg" and child.children[0] == "has":
        return _has(arguments_of(child)[0])
    if child.data == "ident_arg" and child.children[0] == "default":
        return _default(*arguments_of(child))
    return None


def _keys(tree: Node) -> list[Any] | None:
    """`steps.a['b'][0]` → ["steps", "a", "b", 0]; None when it is no such path."""
    keys: list[Any] = []
    while tree.data in {"member_dot", "member_index"}:
        tree, last = tree.children
        if isinstance(last, Tree):
            if last.data != "constant" or type(last.children[0]) not in {str, int}:
                return None
            keys.append(last.children[0])
        else:
            keys.append(str(last))
    if tree.data != "primary" or tree.children[0].data != "ident":
        return None
    return [str(tree.children[0].children[0]), *reversed(keys)]


def _path(tree: Node) -> Closure | None:
    keys = _keys(tree)
    if keys is None:
        return None
    root, *rest = keys
    if any(type(key) is int for key in rest):
        return _indexed(root, rest)

    def get(scope: Scope) -> Any:
        value = scope[root]
        for key in rest:
            value = value[key]
        return value.output if type(value) is StepView else value

    return get


def _indexed(root: str, keys: list[Any]) -> Closure:
    def get(scope: Scope) -> Any:
        value = scope[root]
        for key in keys:
            if type(key) is int:
                value = settled(value)
                # Python would index text, and lists from their end.
                if type(value) is not list or key < 0:
                    raise UnsureError
            value = value[key]
        return settled(value)

    return get


def _has(tree: Node) -> Closure | None:
    get = _path(tree)
    keys = _keys(tree)
    if get is None or keys is None:
        return None
    root = keys[0]

    def has(scope: Scope) -> bool:
        try:
            get(scope)
        except KeyError:
            if root in scope:
                return False
            raise
        return True

    return has


def _default(tree: Node, other: Node) -> Closure | None:
    get, fallback, keys = _path(tree), _closure(other), _keys(tree)
    if get is None or fallback is None or keys is None:
        return None
    root = keys[0]

    def default(scope: Scope) -> Any:
        try:
            value = get(scope)
        except KeyError:
            if root not in scope:
                raise
            value = None
        return fallback(scope) if value is None else value

    return default


# ---- operators ------------------------------------------------------------------------------------


def _unary(tree: Node) -> Closure | None:
    operation, operand = tree.children
    get = _closure(operand)
    if get is None or operation.data != "unary_not":
        return None

    def negated(scope: Scope) -> bool:
        value = get(scope)
        if value is True:
            return False
        if value is False:
            return True
        raise UnsureError

    return negated


def _logical(tree: Node) -> Closure | None:
    rule, trees = tree.data, []
    while tree.data == rule:
        trees.append(tree.children[1])
        tree = tree.children[0]
    operands = [_closure(operand) for operand in (tree, *reversed(trees))]
    if None in operands:
        return None
    decisive = rule == "conditionalor"
    closures = [operand for operand in operands if operand is not None]
    if len(closures) == 2:
        return _pair(closures[0], closures[1], decisive)

    def decide(scope: Scope) -> bool:
        for operand in closures:
            value = operand(scope)
            if type(value) is not bool:
                raise UnsureError
            if value is decisive:
                return decisive
        return not decisive

    return decide


def _pair(left: Closure, right: Closure, decisive: bool) -> Closure:
    def decide(scope: Scope) -> bool:
        value = left(scope)
        if type(value) is bool:
            if value is decisive:
                return decisive
            value = right(scope)
            if type(value) is bool:
                return value
        raise UnsureError

    return decide


def _binary(tree: Node) -> Closure | None:
    """A chain of operators from left to right, each closure calling the one before."""
    chain: list[tuple[str, Any]] = []
    while tree.data in BINARY:
        operation, right_tree = tree.children
        chain.append((operation.data, right_tree))
        tree = operation.children[0]
    closure = _closure(tree)
    if len(chain) > LONGEST_CHAIN or any(operation not in OPERATIONS for operation, _ in chain):
        return None
    for operation, right_tree in reversed(chain):
        right = _closure(right_tree)
        if closure is None or right is None:
            return None
        if right_tree.data == "constant" and operation in AGAINST_LITERAL:
            closure = AGAINST_LITERAL[operation](closure, right_tree.children[0])
        else:
            closure = OPERATIONS[operation](closure, right)
    return closure


_MAKERS: dict[str, Callable[[Node], Closure | None]] = {
    "constant": _constant,
    "primary": _primary,
    "member_dot": _path,
    "member_index": _path,
    "unary": _unary,
    "conditionaland": _logical,
    "conditionalor": _logical,
    "relation": _binary,
    "addition": _binary,
    "multiplication": _binary,
}
