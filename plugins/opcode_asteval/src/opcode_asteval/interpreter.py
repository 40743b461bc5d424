"""asteval, with its handlers for expressions only, and none of its names."""

from __future__ import annotations

import ast
import re

from asteval import Interpreter  # type: ignore[import-untyped]

from opcode_asteval.bounds import added, multiplied, raised, remainder, shifted, sized
from opcode_asteval.functions import FUNCTIONS
from opcode_asteval.members import MissingError, described, element, member, settled, shortened
from opcode_asteval.methods import METHODS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from opcode_asteval.checks import Checked

_HANDLED = (
    *("constant", "name", "attribute", "subscript", "slice", "list", "tuple", "set", "dict", "joinedstr"),
    *("formattedvalue", "unaryop", "binop", "boolop", "compare", "ifexp", "call"),
    *("listcomp", "setcomp", "dictcomp", "generatorexp"),
)
_BOUNDED = {
    ast.Add: added,
    ast.Mult: multiplied,
    ast.Pow: raised,
    ast.LShift: shifted,
    ast.Mod: remainder,
}
_FORMAT = re.compile(r"(?:.?[<>=^])?[ +-]?#?0?[0-9]{0,3}[,_]?(?:\.[0-9]{1,2})?[bcdeEfFgGnosxX%]?")
_CONVERSIONS: dict[int, Callable[[Any], str]] = {115: str, 114: repr, 97: ascii}


def value_of(checked: Checked, names: dict[str, Any]) -> Any:
    """The value of an expression.

    Raises:
        ValueError: what is wrong, and in which part of it.
        MemoryError: it needs more than there is.
    """
    interpreter = _Expression(names)
    try:
        return interpreter.run(checked.tree.body)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:
        _raise_told(interpreter, error)


def _raise_told(interpreter: _Expression, error: Exception) -> NoReturn:
    if not interpreter.error:
        raise ValueError(str(error)) from None
    first = interpreter.error[0]  # those behind it are the same one, on its way out
    if first.exc is not None and issubclass(first.exc, MemoryError | RecursionError):
        raise first.exc
    selecting = first.exc is MissingError or not isinstance(first.node, ast.expr)
    raise ValueError(first.msg if selecting else f"{_text(first.node)}: {first.msg}") from None


class _Expression(Interpreter):  # type: ignore[misc]
    """Walks one expression once."""

    def __init__(self, names: dict[str, Any]) -> None:
        super().__init__(symtable={**FUNCTIONS, **names}, use_numpy=False, minimal=True)
        del self.symtable["print"]
        self.node_handlers = {name: getattr(self, f"on_{name}") for name in _HANDLED}
        self.expr = ""

    # Names and what is selected from them.

    def on_name(self, node: ast.Name) -> Any:
        return settled(self._named(node))

    def on_attribute(self, node: ast.Attribute) -> Any:
        return settled(self._selected(node))

    def on_subscript(self, node: ast.Subscript) -> Any:
        return settled(self._selected(node))

    def _named(self, node: ast.Name) -> Any:
        if node.id not in self.symtable:
            where = "outside of a loop" if node.id in {"iter", "loop"} else "here"
            raise MissingError(f"there is no '{node.id}' {where}")
        return self.symtable[node.id]

    def _selected(self, node: ast.expr) -> Any:
        """The value of `node`; a step stays one, so that its status can be asked for."""
        if isinstance(node, ast.Name):
            return self._named(node)
        if isinstance(node, ast.Attribute):
            return member(self._selected(node.value), node.attr, _text(node.value))
        if isinstance(node, ast.Subscript):
            return element(self._selected(node.value), self.run(node.slice), _text(node.value))
        if isinstance(node, ast.Call):
            return self._called(node)
        return self.run(node)

    def on_slice(self, node: ast.Slice) -> slice:
        return slice(
            *(None if part is None else self.run(part) for part in (node.lower, node.upper, node.step))
        )

    # Calls.

    def on_call(self, node: ast.Call) -> Any:
        return settled(self._called(node))

    def _called(self, node: ast.Call) -> Any:
        arguments: list[Any] = []
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                arguments.extend(self.run(argument.value))
            else:
                arguments.append(self.run(argument))
        keywords = {str(keyword.arg): self.run(keyword.value) for keyword in node.keywords}
        if isinstance(node.func, ast.Name):
            return FUNCTIONS[node.func.id](*arguments, **keywords)
        assert isinstance(node.func, ast.Attribute)
        value = self.run(node.func.value)
        kind = dict if isinstance(value, dict) else type(value)
        method = METHODS.get(kind, {}).get(node.func.attr)
        if method is None:
            raise MissingError(
                f"{_text(node.func.value)} is {described(value)}, which has no method '{node.func.attr}'"
            )
        return method(value, *arguments, **keywords)

    # Operators and texts.

    def on_binop(self, node: ast.BinOp) -> Any:
        bounded = _BOUNDED.get(type(node.op))
        if bounded is None:
            return super().on_binop(node)
        return bounded(self.run(node.left), self.run(node.right))

    def on_joinedstr(self, node: ast.JoinedStr) -> str:
        parts = [self.run(part) for part in node.values]
        sized(sum(map(len, parts)))
        return "".join(parts)

    def on_formattedvalue(self, node: ast.FormattedValue) -> str:
        value = self.run(node.value)
        convert = _CONVERSIONS.get(node.conversion)
        if convert is not None:
            value = convert(value)
        how = "" if node.format_spec is None else self.run(node.format_spec)
        if not _FORMAT.fullmatch(how):
            raise ValueError(f"'{shortened(how)}' is not a format that is available")
        return format(value, how) if isinstance(value, int | float | str) else format(str(value), how)

    # Comprehensions.

    def on_generatorexp(self, node: ast.GeneratorExp) -> Any:
        return self.on_listcomp(node)

    def _unpack_to_target(self, target: Any, value: Any) -> None:
        if isinstance(target, tuple):
            value = list(value)
            if len(value) != len(target):
                raise ValueError(f"there are {len(value)} values for {len(target)} names")
        super()._unpack_to_target(target, value)


def _text(node: ast.expr) -> str:
    return shortened(ast.unparse(node))
