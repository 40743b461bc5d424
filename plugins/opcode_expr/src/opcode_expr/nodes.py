"""The parts of a parsed expression. Each knows where in the source it begins and ends."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Node:
    """Any part.

    Attributes:
        start, end: its place in the source, the end not included.
    """

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A number, a string, true, false, nil."""

    value: Any


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A variable, or `$env`."""

    name: str


@dataclass(frozen=True, slots=True)
class Pointer(Node):
    """`#`, `#index`, `#acc`; `name` is what comes after the `#`."""

    name: str


@dataclass(frozen=True, slots=True)
class ListOf(Node):
    """`[a, b]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapOf(Node):
    """`{a: b, (c): d}`."""

    pairs: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Member(Node):
    """The `.name` of a path."""

    name: str
    optional: bool


@dataclass(frozen=True, slots=True)
class Index(Node):
    """The `[key]` of a path."""

    key: Node
    optional: bool


@dataclass(frozen=True, slots=True)
class Slice(Node):
    """The `[first:last]` of a path."""

    first: Node | None
    last: Node | None


@dataclass(frozen=True, slots=True)
class Path(Node):
    """What is selected, one selection after the other."""

    base: Node
    selections: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`not a`, `-a`, `+a`."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """`a + b`; negated in `a not in b`."""

    operator: str
    left: Node
    right: Node
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Chain(Node):
    """`a < b <= c`: each compared with the next."""

    first: Node
    rest: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Choice(Node):
    """`a ? b : c`, `if a { b } else { c }`; `a ?: c` has no `then`."""

    condition: Node
    then: Node | None
    other: Node


@dataclass(frozen=True, slots=True)
class Let(Node):
    """`let name = value; body`."""

    name: str
    value: Node
    body: Node


@dataclass(frozen=True, slots=True)
class Sequence(Node):
    """`a; b`: the value of the last."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`f(a)`, `a | f()`."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Block(Node):
    """`{ body }`: a predicate."""

    body: Node
