"""The direct path: plain conditions as Python closures, without the interpreter.

Paths and literals, compared, added up, negated, joined by `&&` and `||`: most guards are nothing
else. A closure only ever answers when the answer is beyond doubt. For everything else, all errors
included, it raises, and the interpreter decides; so the two cannot differ in what they refuse.
"""

import operator
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, TypeAlias

from lark import Tree

from opcode_cel.access import settled
from opcode_cel.checks import arguments_of
from opcode_cel.syntax import Node
from opcode_core import StepView

Scope: TypeAlias = Mapping[str, Any]
Closure: TypeAlias = Callable[[Scope], Any]


class UnsureError(Exception):
    """The interpreter has to decide."""


DOUBTS = (UnsureError, LookupError, TypeError, AttributeError, ArithmeticError)
"""What a closure raises instead of answering; Python's own errors of a path included."""

_UNSURE = UnsureError()
_SCALARS = frozenset({int, float, str, bool, type(None)})
_KNOWN = _SCALARS | {dict, list}
_NUMBERS = frozenset({int, float})


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
        if cls is bool or cls is int or cls is str or value is None or cls is dict or cls is list:
            return value
        if cls is float and isfinite(value):
            return value
        raise _UNSURE

    return answer


def _closure(tree: Any) -> Closure | None:
    make = _MAKERS.get(tree.data) if isinstance(tree, Tree) else None
    return make(tree) if make else None


# ---- operands -------------------------------------------------------------------------------------


def _constant(tree: Node) -> Closure | None:
    value = tree.children[0]
    return (lambda _: value) if type(value) in _SCALARS else None


def _primary(tree: Node) -> Closure | None:
    child = tree.children[0]
    if child.data == "ident":
        return _path(tree)
    if child.data == "ident_arg" and child.children[0] == "has":
        return _has(arguments_of(child)[0])
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
                    raise _UNSURE
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
        raise _UNSURE

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
                raise _UNSURE
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
        raise _UNSURE

    return decide


def _binary(tree: Node) -> Closure | None:
    operation, right_tree = tree.children
    left_tree = operation.children[0]
    make = _OPERATIONS.get(operation.data)
    if make is None:
        return None
    left, right = _closure(left_tree), _closure(right_tree)
    if left is None or right is None:
        return None
    if right_tree.data == "constant" and operation.data in _AGAINST_LITERAL:
        return _AGAINST_LITERAL[operation.data](left, right_tree.children[0])
    return make(left, right)


def _same(x: Any, y: Any) -> bool:
    """Equality where it is beyond doubt; of two containers it is not."""
    first, second = type(x), type(y)
    if first is second and first in _SCALARS:
        return bool(x == y)
    if first in _NUMBERS and second in _NUMBERS:
        return bool(x == y)
    if (first in _SCALARS and second in _KNOWN) or (second in _SCALARS and first in _KNOWN):
        return False
    raise _UNSURE


def _equality(wanted: bool) -> Callable[[Closure, Closure], Closure]:
    return lambda left, right: lambda scope: _same(left(scope), right(scope)) is wanted


def _equals_literal(wanted: bool) -> Callable[[Closure, Any], Closure]:
    def make(left: Closure, constant: Any) -> Closure:
        cls = type(constant)

        def compare(scope: Scope) -> bool:
            value = left(scope)
            if type(value) is cls:
                return bool(value == constant) is wanted
            return _same(value, constant) is wanted

        return compare

    return make


def _order(compare: Callable[[Any, Any], bool]) -> Callable[[Closure, Closure], Closure]:
    def make(left: Closure, right: Closure) -> Closure:
        def ordered(scope: Scope) -> bool:
            x, y = left(scope), right(scope)
            first, second = type(x), type(y)
            if (first in _NUMBERS and second in _NUMBERS) or (first is second is str):
                return bool(compare(x, y))
            raise _UNSURE

        return ordered

    return make


def _order_literal(compare: Callable[[Any, Any], bool]) -> Callable[[Closure, Any], Closure]:
    def make(left: Closure, constant: Any) -> Closure:
        # A literal that has no order is for the interpreter to refuse.
        classes = _NUMBERS if type(constant) in _NUMBERS else frozenset({str} & {type(constant)})

        def ordered(scope: Scope) -> bool:
            value = left(scope)
            if type(value) in classes:
                return compare(value, constant)
            raise _UNSURE

        return ordered

    return make


def _arithmetic(
    compute: Callable[[Any, Any], Any],
    *,
    naturals: Callable[[int, int], int] | None = None,
    doubles: bool = True,
) -> Callable[[Closure, Closure], Closure]:
    """Of numbers; `naturals` replaces `compute` for integers where Python's rounding is another."""

    def make(left: Closure, right: Closure) -> Closure:
        def computed(scope: Scope) -> Any:
            x, y = left(scope), right(scope)
            first, second = type(x), type(y)
            if first is int and second is int:
                if naturals is None:
                    result = compute(x, y)
                elif x >= 0 and y > 0:
                    result = naturals(x, y)
                else:
                    raise _UNSURE
                if -(2**63) <= result < 2**63:
                    return result
            elif doubles and first in _NUMBERS and second in _NUMBERS:
                return compute(float(x), float(y))
            raise _UNSURE

        return computed

    return make


_COMPARISONS = {
    "relation_lt": operator.lt,
    "relation_le": operator.le,
    "relation_gt": operator.gt,
    "relation_ge": operator.ge,
}
_OPERATIONS: dict[str, Callable[[Closure, Closure], Closure]] = {
    "relation_eq": _equality(True),
    "relation_ne": _equality(False),
    **{name: _order(compare) for name, compare in _COMPARISONS.items()},
    "addition_add": _arithmetic(operator.add),
    "addition_sub": _arithmetic(operator.sub),
    "multiplication_mul": _arithmetic(operator.mul),
    "multiplication_div": _arithmetic(operator.truediv, naturals=operator.floordiv),
    "multiplication_mod": _arithmetic(operator.mod, naturals=operator.mod, doubles=False),
}
_AGAINST_LITERAL: dict[str, Callable[[Closure, Any], Closure]] = {
    "relation_eq": _equals_literal(True),
    "relation_ne": _equals_literal(False),
    **{name: _order_literal(compare) for name, compare in _COMPARISONS.items()},
}
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
