"""Paths: from selections to closures."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from opcode_expr import access, nodes
from opcode_expr.faults import EvalError
from opcode_expr.frame import Closure, Frame
from opcode_expr.places import Place, Step
from opcode_expr.values import settled

if TYPE_CHECKING:
    from opcode_expr.compiler import Compiler


def path(compiler: "Compiler", node: nodes.Path, place: Place) -> Closure:
    """What a path selects; a step stays one, so that its status can be asked for."""
    base = compiler.raw(node.base, place)
    end = node.base.end
    selections = []
    for selection in node.selections:
        selections.append(_selection(compiler, selection, node.start, end, place))
        end = selection.end
    optional = [getattr(selection, "optional", False) for selection in node.selections]
    pairs = list(zip(selections, optional, strict=True))
    explain = _explaining(compiler, node)

    def select(frame: Frame) -> Any:
        frame.meter.spend(len(pairs))
        at = 0
        holder = value = None
        try:
            value = base(frame)
            for step, stops in pairs:
                if stops and settled(value) is None:
                    return None
                at += 1
                found = step(value, frame)
                holder, value = value, found
        except EvalError as fault:
            if fault.missing and at < len(pairs) and optional[at]:
                return None
            if value is None and at > 1:
                explain(fault, holder, at - 2)
            raise
        return value

    return select


def _explaining(compiler: "Compiler", node: nodes.Path) -> Callable[[EvalError, Any, int], None]:
    """What adds to a fault why the value is nil that was selected from."""

    def explain(fault: EvalError, holder: Any, at: int) -> None:
        selection = node.selections[at]
        if type(selection) is nodes.Member:
            before = node.selections[at - 1].end if at else node.base.end
            access.explain_nil(fault, settled(holder), selection.name, _text(compiler, node.start, before))

    return explain


def _text(compiler: "Compiler", start: int, end: int) -> str:
    """A piece of the source; the dot that stands for an item is told as one."""
    text = compiler.source.text[start:end]
    return "#" if text == "." else text


def _selection(compiler: "Compiler", node: nodes.Node, start: int, end: int, place: Place) -> Step:
    def text() -> str:
        return _text(compiler, start, end)

    if type(node) is nodes.Member:
        name = node.name
        return lambda value, _: access.field(value, name, text)
    if type(node) is nodes.Index:
        key = compiler.value(node.key, place)
        return lambda value, frame: access.element(value, key(frame), text)
    assert type(node) is nodes.Slice
    first = None if node.first is None else compiler.value(node.first, place)
    last = None if node.last is None else compiler.value(node.last, place)

    def cut(value: Any, frame: Frame) -> Any:
        begin = None if first is None else first(frame)
        end = None if last is None else last(frame)
        return access.part(value, begin, end, text, frame.meter)

    return cut
