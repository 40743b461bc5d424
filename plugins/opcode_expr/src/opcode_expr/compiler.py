"""From parts to closures."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

from opcode_expr import access, nodes, paths, rows
from opcode_expr.binding import MAX_DEPTH
from opcode_expr.calls import checked_call
from opcode_expr.faults import EvalError, listed, meant, shortened
from opcode_expr.frame import Closure, Frame
from opcode_expr.meter import ITEM, MAP, TEXT
from opcode_expr.places import Place, settling, true
from opcode_expr.predicates import LOOPING, Loop, Rounds, array
from opcode_expr.syntax import Source, invalid, too_deep
from opcode_expr.values import STRING, MadeList, MadeMap, kind_of, settled

_ELSEWHERE = {
    **dict.fromkeys(("null", "None", "undefined"), "nil"),
    "True": "true",
    "False": "false",
}


class Compiler:
    """Compiles one expression.

    Attributes:
        slots: how many slots a frame needs.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.slots = 0

    def body(self) -> Closure:
        """What gives the expression's value.

        Raises:
            OpcodeError: VALIDATION_ERROR.
        """
        return self.value(self.source.root, Place())

    def value(self, node: nodes.Node, place: Place) -> Closure:
        """What gives the value of a part."""
        deeper = replace(place, depth=place.depth + 1)
        if deeper.depth > MAX_DEPTH:
            raise too_deep(self.source.text, node.start)
        return _COMPILE[type(node)](self, node, deeper)

    def refuse(self, message: str, node: nodes.Node) -> NoReturn:
        """Refuse the expression because of a part.

        Raises:
            OpcodeError: VALIDATION_ERROR, always.
        """
        raise invalid(message, self.source.text, node.start)

    def _slot(self) -> int:
        self.slots += 1
        return self.slots - 1

    # ---- what stands on its own -------------------------------------------------------------------

    def literal(self, node: nodes.Literal, _: Place) -> Closure:
        """`1`, `'a'`, `nil`."""
        value = node.value
        return lambda _: value

    def name(self, node: nodes.Name, place: Place) -> Closure:
        """A variable, or a name of the scope."""
        raw = self.raw(node, place)
        return raw if node.name not in place.variables else settling(raw)

    def raw(self, node: nodes.Node, place: Place) -> Closure:
        """The same as `value`, but a step stays one, so that its status can be asked for."""
        if type(node) is nodes.Name:
            return self._named(node, place)
        if type(node) is nodes.Path:
            return paths.path(self, node, place)
        return self.value(node, place)

    def _named(self, node: nodes.Name, place: Place) -> Closure:
        name = node.name
        if name == "$env":
            return lambda frame: frame.names
        slot = place.variables.get(name)
        if slot is not None:
            return lambda frame: frame.slots[slot]

        def look(frame: Frame) -> Any:
            try:
                return frame.names[name]
            except KeyError:
                raise _unknown(name, frame) from None

        return look

    def pointer(self, node: nodes.Pointer, place: Place) -> Closure:
        """`#`, `#index`, `#acc`."""
        loop = place.loop
        if loop is None:
            self.refuse(
                "'#' and '.name' stand for an item in a predicate, as in filter(items, .price > 5)", node
            )
        if node.name == "acc" and not loop.reduces:
            self.refuse("#acc is only in the predicate of reduce()", node)
        slot = {"": loop.item, "index": loop.index, "acc": loop.accumulator}[node.name]
        return lambda frame: frame.slots[slot]

    def list_of(self, node: nodes.ListOf, place: Place) -> Closure:
        """`[a, b]`."""
        items = [self.value(item, place) for item in node.items]
        size = TEXT + ITEM * len(items)

        def make(frame: Frame) -> MadeList:
            frame.meter.make(size)
            return MadeList([item(frame) for item in items])

        return make

    def map_of(self, node: nodes.MapOf, place: Place) -> Closure:
        """`{a: b}`."""
        pairs = [(self._key(key, place), self.value(value, place)) for key, value in node.pairs]
        size = MAP + 2 * MAP * len(pairs)

        def make(frame: Frame) -> MadeMap:
            frame.meter.make(size)
            return MadeMap({key(frame): value(frame) for key, value in pairs})

        return make

    def _key(self, node: nodes.Node, place: Place) -> Closure:
        value = self.value(node, place)
        where = self.source.of(node)

        def key(frame: Frame) -> str:
            made = value(frame)
            if kind_of(made) != STRING:
                raise EvalError(f"a key of a map is a string, not {kind_of(made)}; write (string(x))").at(
                    where
                )
            return str(made)

        return value if type(node) is nodes.Literal and kind_of(node.value) == STRING else key

    def block(self, node: nodes.Block, _: Place) -> Closure:
        """`{ a }` where no predicate is asked for."""
        self.refuse(
            "braces hold a predicate, which is not asked for here; a map is written {key: value}", node
        )

    def path(self, node: nodes.Path, place: Place) -> Closure:
        """`a.b[c]`."""
        return settling(paths.path(self, node, place))

    def asked(self, node: nodes.Node, place: Place) -> Callable[[Frame], bool]:
        """The value of a part, which must be a boolean."""
        value = self.value(node, place)
        where = self.source.of(node)
        return lambda frame: true(value(frame), where)

    # ---- forms ------------------------------------------------------------------------------------

    def choice(self, node: nodes.Choice, place: Place) -> Closure:
        """A row of conditions; so a long `else if` is not deep."""
        choices: list[tuple[Callable[[Frame], bool], Closure]] = []
        other: nodes.Node = node
        while type(other) is nodes.Choice:
            then: Closure = (lambda _: True) if other.then is None else self.value(other.then, place)
            choices.append((self.asked(other.condition, place), then))
            other = other.other
        default = self.value(other, place)

        def choose(frame: Frame) -> Any:
            for condition, then in choices:
                if condition(frame):
                    return then(frame)
            return default(frame)

        return choose

    def let(self, node: nodes.Let, place: Place) -> Closure:
        """A row of variables; so many of them are not deep."""
        values: list[tuple[int, Closure]] = []
        body: nodes.Node = node
        while type(body) is nodes.Let:
            if body.name in {"$env", "true", "false", "nil"}:
                self.refuse(f"'{body.name}' cannot be the name of a variable", body)
            slot = self._slot()
            values.append((slot, self.raw(body.value, place)))
            place = replace(place, variables={**place.variables, body.name: slot})
            body = body.body
        result = self.value(body, place)

        def bind(frame: Frame) -> Any:
            for slot, value in values:
                frame.slots[slot] = value(frame)
            return result(frame)

        return bind

    def sequence(self, node: nodes.Sequence, place: Place) -> Closure:
        """`a; b`."""
        parts = [self.value(part, place) for part in node.parts]

        def run(frame: Frame) -> Any:
            value = None
            for part in parts:
                value = part(frame)
            return value

        return run

    # ---- calls ------------------------------------------------------------------------------------

    def call(self, node: nodes.Call, place: Place) -> Closure:
        """`f(a)`."""
        if node.name in LOOPING:
            return self._looping(node, place)
        function = checked_call(self, node)
        arguments = [self.value(argument, place) for argument in node.arguments]
        where, name = self.source.of(node), node.name

        def run(frame: Frame) -> Any:
            values = [argument(frame) for argument in arguments]
            try:
                return function(name, values, frame.meter)
            except EvalError as fault:
                raise fault.at(where) from None

        return run

    def _looping(self, node: nodes.Call, place: Place) -> Closure:
        looping = LOOPING[node.name]
        checked_call(self, node)
        items = self.value(node.arguments[0], place)
        loop = Loop(self._slot(), self._slot(), self._slot(), reduces=node.name == "reduce")
        predicate = node.arguments[1] if len(node.arguments) > 1 else None
        body = None if predicate is None else self._predicate(predicate, node, replace(place, loop=loop))
        further = [self.value(argument, place) for argument in node.arguments[2:]]
        where = self.source.of(node)
        told = self.source.of(predicate) if predicate else where
        name = node.name

        def run(frame: Frame) -> Any:
            try:
                gone_through = array(name, items(frame))
                rounds = Rounds(frame, gone_through, body, loop, told)
                return looping.call(rounds, *[argument(frame) for argument in further])
            except EvalError as fault:
                raise fault.at(where) from None

        return run

    def _predicate(self, node: nodes.Node, call: nodes.Call, place: Place) -> Closure:
        if type(node) is nodes.Block:
            return self.value(node.body, place)
        if call.name == "sortBy" and type(node) is nodes.Literal and kind_of(node.value) == STRING:
            # Older files name the field: sortBy(users, "age").
            item, name = place.loop.item if place.loop else 0, node.value
            return lambda frame: settled(access.field(frame.slots[item], name, lambda: "an item"))
        return self.value(node, place)


def _unknown(name: str, frame: Frame) -> EvalError:
    if name in _ELSEWHERE:
        message = f"there is no '{name}' here: it is written {_ELSEWHERE[name]}"
    elif name in {"iter", "loop"}:
        message = f"there is no '{name}' outside of a loop"
    else:
        known = list(frame.names)
        message = f"there is no '{shortened(name)}' here{meant(name, known) or f'; {listed(known)}'}"
    return EvalError(message, missing=True, where="")


_COMPILE: dict[type, Callable[[Compiler, Any, Place], Closure]] = {
    nodes.Literal: Compiler.literal,
    nodes.Name: Compiler.name,
    nodes.Pointer: Compiler.pointer,
    nodes.ListOf: Compiler.list_of,
    nodes.MapOf: Compiler.map_of,
    nodes.Path: Compiler.path,
    nodes.Unary: rows.unary,
    nodes.Binary: rows.binary,
    nodes.Chain: rows.chain,
    nodes.Choice: Compiler.choice,
    nodes.Let: Compiler.let,
    nodes.Sequence: Compiler.sequence,
    nodes.Call: Compiler.call,
    nodes.Block: Compiler.block,
}
