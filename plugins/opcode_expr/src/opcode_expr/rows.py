"""Rows of operators: from parts to closures."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opcode_expr import nodes
from opcode_expr.faults import EvalError
from opcode_expr.frame import Closure, Frame
from opcode_expr.operators import BINARY, Operator, negated, plus, within
from opcode_expr.patterns import compiled
from opcode_expr.places import Place, Step, forgiving, true
from opcode_expr.values import STRING, kind_of, truth

if TYPE_CHECKING:
    from opcode_expr.compiler import Compiler


def unary(compiler: "Compiler", node: nodes.Unary, place: Place) -> Closure:
    """`not a`, `-a`."""
    operand = compiler.value(node.operand, place)
    where = compiler.source.of(node.operand if node.operator == "not" else node)
    operation = {"not": lambda value: not truth(value), "-": negated, "+": plus}[node.operator]

    def apply(frame: Frame) -> Any:
        value = operand(frame)
        try:
            return operation(value)
        except EvalError as fault:
            raise fault.at(where) from None

    return apply


def binary(compiler: "Compiler", node: nodes.Binary, place: Place) -> Closure:
    """A row of operators, each taking what is left of it; so long sums are not deep."""
    if node.operator == "??":
        return _either(compiler, node, place)
    if (tested := _nil_test(compiler, node, place)) is not None:
        return tested
    parts: list[nodes.Binary] = []
    left: nodes.Node = node
    while type(left) is nodes.Binary and left.operator != "??" and not _tests_nil(left):
        parts.append(left)
        left = left.left
    first = compiler.value(left, place)
    steps = [_step(compiler, part, place) for part in reversed(parts)]
    if len(steps) == 1:
        (only,) = steps
        return lambda frame: only(first(frame), frame)

    def row(frame: Frame) -> Any:
        value = first(frame)
        for step in steps:
            value = step(value, frame)
        return value

    return row


def _step(compiler: "Compiler", node: nodes.Binary, place: Place) -> Step:
    if node.operator in {"and", "or"}:
        return _logical(compiler, node, place)
    if node.operator == "in" and type(node.right) is nodes.Binary and node.right.operator == "..":
        return _in_range(compiler, node, node.right, place)
    right = compiler.value(node.right, place)
    operation = _operation(compiler, node)
    where = compiler.source.of(node)
    inverted = node.negated

    def step(value: Any, frame: Frame) -> Any:
        other = right(frame)
        try:
            result = operation(value, other, frame.meter)
        except EvalError as fault:
            raise fault.at(where) from None
        return not result if inverted else result

    return step


def _operation(compiler: "Compiler", node: nodes.Binary) -> Operator:
    if (
        node.operator == "matches"
        and type(node.right) is nodes.Literal
        and kind_of(node.right.value) == STRING
    ):
        try:
            compiled(node.right.value)
        except EvalError as fault:
            compiler.refuse(fault.message, node.right)
    return BINARY[node.operator]


def _in_range(compiler: "Compiler", node: nodes.Binary, span: nodes.Binary, place: Place) -> Step:
    first, last = compiler.value(span.left, place), compiler.value(span.right, place)
    where = compiler.source.of(node)

    def step(value: Any, frame: Frame) -> bool:
        begin, end = first(frame), last(frame)
        try:
            return within(value, begin, end, frame.meter) is not node.negated
        except EvalError as fault:
            raise fault.at(where) from None

    return step


def _logical(compiler: "Compiler", node: nodes.Binary, place: Place) -> Step:
    right = compiler.asked(node.right, place)
    where = compiler.source.of(node.left)
    decisive = node.operator == "or"

    def step(value: Any, frame: Frame) -> bool:
        frame.meter.spend()
        return decisive if true(value, where) is decisive else right(frame)

    return step


def _either(compiler: "Compiler", node: nodes.Binary, place: Place) -> Closure:
    operands: list[nodes.Node] = []
    left: nodes.Node = node
    while type(left) is nodes.Binary and left.operator == "??":
        operands.insert(0, left.right)
        left = left.left
    tried = [_forgiving(compiler, operand, place) for operand in (left, *operands[:-1])]
    last = compiler.value(operands[-1], place)

    def either(frame: Frame) -> Any:
        frame.meter.spend()
        for operand in tried:
            value = operand(frame)
            if value is not None:
                return value
        return last(frame)

    return either


def _forgiving(compiler: "Compiler", node: nodes.Node, place: Place) -> Closure:
    """Of a name or a path: nil when the name or the step is not there."""
    value = compiler.value(node, place)
    base = node.base if type(node) is nodes.Path else node
    return forgiving(value) if type(base) is nodes.Name else value


def _nil_test(compiler: "Compiler", node: nodes.Binary, place: Place) -> Closure | None:
    """`a == nil` and `a != nil`: a name that is not there is nil."""
    if not _tests_nil(node):
        return None
    part = node.left if _is_nil(node.right) else node.right
    value = _forgiving(compiler, part, place)
    wanted = node.operator == "=="
    return lambda frame: (value(frame) is None) is wanted


def chain(compiler: "Compiler", node: nodes.Chain, place: Place) -> Closure:
    """`a < b < c`, as far as it is true."""
    first = compiler.value(node.first, place)
    rest = []
    left = node.first
    for operator, right in node.rest:
        where = compiler.source.of(replace(left, end=right.end))
        rest.append((BINARY[operator], compiler.value(right, place), where))
        left = right

    def compare(frame: Frame) -> bool:
        value = first(frame)
        for operation, right, where in rest:
            other = right(frame)
            try:
                if not operation(value, other, frame.meter):
                    return False
            except EvalError as fault:
                raise fault.at(where) from None
            value = other
        return True

    return compare


def _is_nil(node: nodes.Node) -> bool:
    return type(node) is nodes.Literal and node.value is None


def _tests_nil(node: nodes.Binary) -> bool:
    return node.operator in {"==", "!="} and (_is_nil(node.left) or _is_nil(node.right))
