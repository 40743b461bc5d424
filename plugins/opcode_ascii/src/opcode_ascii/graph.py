"""What is laid out: shapes in topological order, and the links between them."""

from dataclasses import dataclass

from opcode_ascii.shapes import Shape


@dataclass(frozen=True, slots=True)
class Link:
    """From one shape to a later one, by their indexes."""

    source: int
    target: int
    label: str = ""
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """Shapes, the names of the first and the last step in each, and links without duplicates."""

    shapes: tuple[Shape, ...]
    firsts: tuple[str, ...]
    lasts: tuple[str, ...]
    links: tuple[Link, ...]
