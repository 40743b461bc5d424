"""Operators on the direct path: closures over two operands.

Each answers only when the answer is beyond doubt, and raises otherwise.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Scope: TypeAlias = Mapping[str, Any]
Closure: TypeAlias = Callable[[Scope], Any]


class UnsureError(Exception):
    """The interpreter has to decide."""


SCALARS = frozenset({int, float, str, bool, type(None)})
_KNOWN = SCALARS | {dict, list}
_NUMBERS = frozenset({int, float})


def _same(x: Any, y: Any) -> bool:
    """Equality where it is beyond doubt; of two containers it is not."""
    first, second = type(x), type(y)
    if first is second and first in SCALARS:
        return bool(x == y)
    if first in _NUMBERS and second in _NUMBERS:
        return bool(x == y)
    if (first in SCALARS and second in _KNOWN) or (second in SCALARS and first in _KNOWN):
        return False
    raise UnsureError


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
            raise UnsureError

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
            raise UnsureError

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
                    raise UnsureError
                if -(2**63) <= result < 2**63:
                    return result
            elif doubles and first in _NUMBERS and second in _NUMBERS:
                return compute(float(x), float(y))
            raise UnsureError

        return computed

    return make


_COMPARISONS = {
    "relation_lt": operator.lt,
    "relation_le": operator.le,
    "relation_gt": operator.gt,
    "relation_ge": operator.ge,
}
OPERATIONS: dict[str, Callable[[Closure, Closure], Closure]] = {
    "relation_eq": _equality(True),
    "relation_ne": _equality(False),
    **{name: _order(compare) for name, compare in _COMPARISONS.items()},
    "addition_add": _arithmetic(operator.add),
    "addition_sub": _arithmetic(operator.sub),
    "multiplication_mul": _arithmetic(operator.mul),
    "multiplication_div": _arithmetic(operator.truediv, naturals=operator.floordiv),
    "multiplication_mod": _arithmetic(operator.mod, naturals=operator.mod, doubles=False),
}
AGAINST_LITERAL: dict[str, Callable[[Closure, Any], Closure]] = {
    "relation_eq": _equals_literal(True),
    "relation_ne": _equals_literal(False),
    **{name: _order_literal(compare) for name, compare in _COMPARISONS.items()},
}
