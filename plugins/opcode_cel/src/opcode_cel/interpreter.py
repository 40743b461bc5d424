"""The interpreter: celpy's, over JSON as it is, with OPCODE's operators, functions and errors."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import celpy
from celpy.evaluation import Evaluator

from opcode_cel.access import element, field, settled, shown
from opcode_cel.checks import ROOTS, arguments_of
from opcode_cel.faults import EvalError, listed, shortened
from opcode_cel.functions import FUNCTIONS, MACROS
from opcode_cel.kinds import LIST, MAP, NAMES, MadeList, MadeMap, described, kind_of, truth
from opcode_cel.lists import made, sort_by
from opcode_cel.meter import Meter
from opcode_cel.operators import BINARY, UNARY
from opcode_cel.syntax import BINARY as BINARY_RULES
from opcode_cel.syntax import Node, Source


class Runner(celpy.InterpretedRunner):
    """Evaluates one parsed expression, any number of times and from any thread."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def evaluate(self, context: Mapping[str, Any], meter: Meter | None = None) -> Any:
        """The value over the scope `context`.

        Raises:
            EvalError: nothing absorbed it.
            LimitError: it made too much.
            TimeUp: it took too long.
        """
        return Interpreter(self.source, context, meter or Meter()).visit(self.source.tree)


class Interpreter(Evaluator):
    """Walks the tree once. Faults are raised; celpy would pass them on as values."""

    def __init__(self, source: Source, scope: Mapping[str, Any], meter: Meter) -> None:
        self.source = source
        self.scope = scope
        self.meter = meter
        self.variables: dict[str, Any] = {}
        self.level = 0

    def ident_value(self, name: str, root_scope: bool = False) -> Any:
        """A variable of a macro, a name of the scope, or a type; nothing is converted or copied."""
        if name in self.variables and not root_scope:
            return self.variables[name]
        try:
            return settled(self.scope[name])
        except KeyError:
            pass
        if name in NAMES:
            return NAMES[name]
        message = f"there is no {shown(name)} here; {listed(self.scope)}"
        # Outside a loop there is no `iter`; any other name is a mistake that nothing absorbs.
        raise EvalError(message, missing=name in ROOTS, where="")

    def _visit_tree(self, tree: Node) -> Any:
        self.meter.spend()
        return getattr(self, tree.data)(tree)

    def constant(self, tree: Node) -> Any:
        """A literal."""
        return tree.children[0]

    # ---- operators ----------------------------------------------------------------------------

    def expr(self, tree: Node) -> Any:
        """`condition ? this : that`; the arm that is not taken is not evaluated."""
        while tree.data == "expr":
            condition, this, that = tree.children
            tree = this if self._asked(condition) else that
        return self._visit_tree(tree)

    def conditionalor(self, tree: Node) -> bool:
        """`a || b || c`."""
        return self._decided(self._operands(tree), by=True)

    def conditionaland(self, tree: Node) -> bool:
        """`a && b && c`."""
        return self._decided(self._operands(tree), by=False)

    def _operands(self, tree: Node) -> list[Node]:
        """Those of a chain, from left to right."""
        rule = tree.data
        operands: list[Any] = []
        while tree.data == rule:
            operands.append(tree.children[1])
            tree = tree.children[0]
        return [tree, *reversed(operands)]

    def _decided(self, operands: Iterable[Node], *, by: bool) -> bool:
        """`by` as soon as one operand is; a fault counts only when none decides."""
        fault = None
        for operand in operands:
            try:
                if self._asked(operand) is by:
                    return by
            except EvalError as error:
                fault = fault or error
        if fault is not None:
            raise fault
        return not by

    def _asked(self, tree: Node) -> bool:
        """Its value, which must be a boolean."""
        value = self._visit_tree(tree)
        try:
            return truth(value)
        except EvalError as fault:
            raise fault.at(self.source.of(tree)) from None

    def relation(self, tree: Node) -> Any:
        """Also additions and multiplications: a chain from left to right."""
        steps = []
        while tree.data in BINARY_RULES:
            operation, right = tree.children
            steps.append((operation.data, right, tree))
            tree = operation.children[0]
        value = self._visit_tree(tree)
        for operation, right, whole in reversed(steps):
            other = self._visit_tree(right)
            try:
                value = BINARY[operation](value, other, self.meter)
            except EvalError as fault:
                raise fault.at(self.source.of(whole)) from None
        return value

    addition = relation
    multiplication = relation

    def unary(self, tree: Node) -> Any:
        """`!a`, `-a`."""
        operation, operand = tree.children
        value = self._visit_tree(operand)
        try:
            return UNARY[operation.data](value)
        except EvalError as fault:
            raise fault.at(self.source.of(tree)) from None

    # ---- paths --------------------------------------------------------------------------------

    def member_dot(self, tree: Node) -> Any:
        """`a.b`, `a[b]`."""
        return settled(self._selected(tree))

    member_index = member_dot

    def _selected(self, tree: Node) -> Any:
        """What is selected, and where that is a step, the step and not yet its output."""
        self.meter.spend()
        if tree.data == "member_dot":
            holder, name = tree.children
            return field(self._selected(holder), str(name), lambda: self.source.of(holder))
        if tree.data == "member_index":
            holder, index = tree.children
            value, key = self._selected(holder), self._visit_tree(index)
            try:
                return element(value, key, lambda: self.source.of(holder))
            except EvalError as fault:
                raise fault.at(self.source.of(tree)) from None
        return self._visit_tree(tree)

    def _looked_up(self, tree: Node) -> tuple[bool, Any]:
        """Whether the path leads somewhere, and where."""
        try:
            return True, self._visit_tree(tree)
        except EvalError as fault:
            if fault.missing:
                return False, None
            raise

    # ---- calls --------------------------------------------------------------------------------

    def primary(self, tree: Node) -> Any:
        """A name, a call, a list or a map."""
        child = tree.children[0]
        return getattr(self, child.data)(child)

    def ident(self, tree: Node) -> Any:
        """`a`."""
        return self.ident_value(str(tree.children[0]))

    def dot_ident(self, tree: Node) -> Any:
        """`.a`: the name in the scope, whatever a macro calls its variable."""
        return self.ident_value(str(tree.children[0]), root_scope=True)

    def ident_arg(self, tree: Node) -> Any:
        """`f(x)`."""
        name, arguments = tree.children[0], arguments_of(tree)
        if name == "has":
            return self._looked_up(arguments[0])[0]
        if name == "default":
            value = self._looked_up(arguments[0])[1]
            return self._visit_tree(arguments[1]) if value is None else value
        if name == "dyn":
            return self._visit_tree(arguments[0])
        return self._called(str(name), [self._visit_tree(argument) for argument in arguments], tree)

    def member_dot_arg(self, tree: Node) -> Any:
        """A method or a macro."""
        receiver, name = tree.children[:2]
        value = self._visit_tree(receiver)
        if name in MACROS:
            return self._macro(tree, str(name), value)
        return self._called(
            str(name), [value, *(self._visit_tree(argument) for argument in arguments_of(tree))], tree
        )

    def _called(self, name: str, arguments: list[Any], tree: Node) -> Any:
        try:
            return FUNCTIONS[name](name, arguments, self.meter)
        except EvalError as fault:
            raise fault.at(self.source.of(tree)) from None

    def _macro(self, tree: Node, name: str, value: Any) -> Any:
        if kind_of(value) not in {LIST, MAP}:
            message = f"{name}() goes through a list or the keys of a map, not {described(value)}"
            raise EvalError(message, where=shortened(self.source.of(tree)))
        arguments = arguments_of(tree)
        variable = str(arguments[0].children[0].children[0])
        outer = self.variables
        self.variables = dict(outer)
        try:
            return getattr(self, f"_{name}")(self._rounds(variable, value), arguments)
        finally:
            self.variables = outer

    def _rounds(self, variable: str, items: Any) -> Iterator[Any]:
        """The items of a list or the keys of a map, each while the variable stands for it."""
        variables = self.variables
        for item in items:
            variables[variable] = item
            yield item

    def _all(self, rounds: Iterator[Any], arguments: list[Node]) -> bool:
        return self._decided((arguments[1] for _ in rounds), by=False)

    def _exists(self, rounds: Iterator[Any], arguments: list[Node]) -> bool:
        return self._decided((arguments[1] for _ in rounds), by=True)

    def _exists_one(self, rounds: Iterator[Any], arguments: list[Node]) -> bool:
        return sum(self._asked(arguments[1]) for _ in rounds) == 1

    _existsOne = _exists_one  # noqa: N815 - the name that it has in an expression

    def _filter(self, rounds: Iterator[Any], arguments: list[Node]) -> Any:
        return self._collected(item for item in rounds if self._asked(arguments[1]))

    def _map(self, rounds: Iterator[Any], arguments: list[Node]) -> Any:
        """`map(x, value)` or `map(x, condition, value)`."""
        value = arguments[-1]
        conditions = arguments[1:-1]
        return self._collected(
            self._visit_tree(value) for _ in rounds if all(self._asked(one) for one in conditions)
        )

    def _sortBy(self, rounds: Iterator[Any], arguments: list[Node]) -> Any:  # noqa: N802
        """`sortBy(x, key)`."""
        items = MadeList()
        keys = self._collected(self._keyed(rounds, items, arguments[1]))
        return sort_by(self.meter, items, keys, "sortBy")

    def _keyed(self, rounds: Iterator[Any], items: list[Any], key: Node) -> Iterator[Any]:
        for item in rounds:
            items.append(item)
            yield self._visit_tree(key)

    def _collected(self, items: Iterator[Any]) -> Any:
        result = MadeList()
        for item in items:
            self.meter.make(8)
            result.append(item)
        return result

    # ---- literals -----------------------------------------------------------------------------

    def list_lit(self, tree: Node) -> MadeList:
        """`[a, b]`."""
        items = arguments_of(tree)
        return made(self.meter, (self._visit_tree(item) for item in items), len(items))

    def map_lit(self, tree: Node) -> MadeMap:
        """`{key: value}`."""
        trees = tree.children[0].children if tree.children else []
        self.meter.make(64 + 100 * len(trees))
        result = MadeMap()
        for key_tree, value_tree in zip(trees[::2], trees[1::2], strict=True):
            key = self._visit_tree(key_tree)
            if not isinstance(key, int | str):
                message = f"{described(key)} cannot be a key of a map"
                raise EvalError(message, where=shortened(self.source.of(key_tree)))
            if key in result:
                where = shortened(self.source.of(tree))
                raise EvalError(f"the key {shown(key)} is there twice", where=where)
            result.add(key, self._visit_tree(value_tree))
        return result
