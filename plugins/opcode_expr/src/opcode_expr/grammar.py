"""The parser: the grammar beside this file, which builds the parts as it goes."""

from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer

from opcode_expr import literals
from opcode_expr.binding import bound
from opcode_expr.nodes import (
    Block,
    Call,
    Choice,
    Index,
    Let,
    ListOf,
    Literal,
    MapOf,
    Member,
    Name,
    Node,
    Path,
    Pointer,
    Sequence,
    Slice,
)

Parts = list[Any]


class RefusedError(Exception):
    """Something that the grammar allows and the language does not.

    Attributes:
        message: what is wrong.
        position: where, in the source.
    """

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


@cache
def parser() -> Lark:
    """The one parser of this process; safe to use from several threads."""
    return Lark(
        (files("opcode_expr") / "expr.lark").read_text(encoding="utf-8"),
        parser="lalr",
        lexer="basic",
        maybe_placeholders=False,
        transformer=Builder(),
    )


def _start(part: Node | Token) -> int:
    return (part.start_pos or 0) if isinstance(part, Token) else part.start


def _end(part: Node | Token) -> int:
    return (part.end_pos or 0) if isinstance(part, Token) else part.end


def _nodes(parts: Parts) -> tuple[Any, ...]:
    return tuple(part for part in parts if not isinstance(part, Token))


class _Own(Path):
    """`.a`, as long as what is selected from it is still to come."""

    __slots__ = ()


class Builder(Transformer[Any, Any]):
    """Makes the parts: one method a rule, given what the rule is made of."""

    def start(self, parts: Parts) -> Any:
        """The whole."""
        return parts[0]

    def sequence(self, parts: Parts) -> Node:
        """`a; b`."""
        found = _nodes(parts)
        return found[0] if len(found) == 1 else Sequence(found[0].start, found[-1].end, found)

    def conditional(self, parts: Parts) -> Node:
        """`a ? b : c`."""
        condition, _, then, _, other = parts
        return Choice(condition.start, other.end, condition, then, other)

    def elvis(self, parts: Parts) -> Node:
        """`a ?: b`."""
        condition, _, _, other = parts
        return Choice(condition.start, other.end, condition, None, other)

    def if_else(self, parts: Parts) -> Node:
        """`if a { b } else { c }`."""
        word, condition, _, then, _, _, other = parts
        return Choice(_start(word), other.end, condition, then, other)

    def block_of_else(self, parts: Parts) -> Any:
        """The `{ c }` after `else`."""
        return parts[1]

    def let(self, parts: Parts) -> Node:
        """`let a = b; c`."""
        word, name, _, value, _, body = parts
        return Let(_start(word), body.end, str(name), value, body)

    def operation(self, parts: Parts) -> Any:
        """`a + b`, `-a`, `a | f()`."""
        return parts[0] if len(parts) == 1 else bound(parts)

    def path(self, parts: Parts) -> Node:
        """`a.b[c]`."""
        base, *selections = parts
        if type(base) is _Own:
            end = selections[-1].end if selections else base.end
            return Path(base.start, end, base.base, (*base.selections, *selections))
        return Path(base.start, selections[-1].end, base, tuple(selections)) if selections else base

    def pipe_target(self, parts: Parts) -> Node:
        """The `f(a).b` after a pipe."""
        call, *selections = parts
        return Path(call.start, parts[-1].end, call, tuple(selections))

    # Selections.

    def member(self, parts: Parts) -> Node:
        """`.a`."""
        return Member(_start(parts[0]), _end(parts[1]), str(parts[1]), optional=False)

    def optional_member(self, parts: Parts) -> Node:
        """`?.a`."""
        return Member(_start(parts[0]), _end(parts[1]), str(parts[1]), optional=True)

    def method(self, parts: Parts) -> Node:
        """`.a()`, which nothing has."""
        name = parts[1]
        raise RefusedError(f"there are no methods; write {name}(x) or x | {name}()", _start(name))

    def index(self, parts: Parts) -> Node:
        """`[a]`."""
        return Index(_start(parts[0]), _end(parts[-1]), parts[1], optional=False)

    def optional_index(self, parts: Parts) -> Node:
        """`?.[a]`."""
        return Index(_start(parts[0]), _end(parts[-1]), parts[2], optional=True)

    def slice_all(self, parts: Parts) -> Node:
        """`[:]`."""
        return Slice(_start(parts[0]), _end(parts[-1]), None, None)

    def slice_from(self, parts: Parts) -> Node:
        """`[a:]`."""
        return Slice(_start(parts[0]), _end(parts[-1]), parts[1], None)

    def slice_to(self, parts: Parts) -> Node:
        """`[:a]`."""
        return Slice(_start(parts[0]), _end(parts[-1]), None, parts[2])

    def slice_both(self, parts: Parts) -> Node:
        """`[a:b]`."""
        return Slice(_start(parts[0]), _end(parts[-1]), parts[1], parts[3])

    # What stands on its own.

    def literal(self, parts: Parts) -> Node:
        """`1`, `'a'`, `nil`."""
        token = parts[0]
        return Literal(_start(token), _end(token), _value(token))

    def name(self, parts: Parts) -> Node:
        """`a`."""
        return Name(_start(parts[0]), _end(parts[0]), str(parts[0]))

    def call(self, parts: Parts) -> Node:
        """`f(a)`."""
        return Call(_start(parts[0]), _end(parts[-1]), str(parts[0]), _nodes(parts))

    def pointer(self, parts: Parts) -> Node:
        """`#`, `#index`, `#acc`."""
        token = parts[0]
        if token not in {"#", "#index", "#acc"}:
            raise RefusedError(
                f"there is no {token}: there are #, #index and, in reduce(), #acc", _start(token)
            )
        return Pointer(_start(token), _end(token), str(token[1:]))

    def own_member(self, parts: Parts) -> Node:
        """`.a` of the item."""
        dot, name = parts
        pointer = Pointer(_start(dot), _end(dot), "")
        member = Member(_start(dot), _end(name), str(name), optional=False)
        return _Own(_start(dot), _end(name), pointer, (member,))

    def list(self, parts: Parts) -> Node:
        """`[a, b]`."""
        return ListOf(_start(parts[0]), _end(parts[-1]), _nodes(parts))

    def map(self, parts: Parts) -> Node:
        """`{a: b}`."""
        return MapOf(_start(parts[0]), _end(parts[-1]), tuple(part for part in parts if type(part) is tuple))

    def pair(self, parts: Parts) -> tuple[Node, Node]:
        """The `a: b` of a map."""
        key, _, value = parts
        return key, value

    def key(self, parts: Parts) -> Node:
        """The `a` of a pair."""
        token = parts[0]
        text = _value(token) if token.type in {"STRING", "RAW"} else str(token)
        return Literal(_start(token), _end(token), text)

    def computed_key(self, parts: Parts) -> Any:
        """The `(a)` of a pair."""
        return parts[1]

    def block(self, parts: Parts) -> Node:
        """`{ a }`."""
        return Block(_start(parts[0]), _end(parts[-1]), parts[1])

    def group(self, parts: Parts) -> Any:
        """`(a)`."""
        return replace(parts[1], start=_start(parts[0]), end=_end(parts[2]))


_CONSTANTS = {"TRUE": True, "FALSE": False, "NIL": None}
_READ = {"NUMBER": literals.number, "STRING": literals.string, "RAW": literals.raw}


def _value(token: Token) -> Any:
    if token.type in _CONSTANTS:
        return _CONSTANTS[token.type]
    try:
        return _READ[token.type](token)
    except ValueError as error:
        raise RefusedError(str(error), _start(token)) from None
