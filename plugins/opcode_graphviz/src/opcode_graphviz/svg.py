"""Graphviz's SVG made fit for a page: it takes on the page's colours, and holds nothing but shapes and words."""

import hashlib
import re
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as Xml

from opcode_core import Diagram, describe_diagram, plain_text
from opcode_graphviz.dot import FRAME, INK, LINE

_NAMESPACE: Final = "http://www.w3.org/2000/svg"
_SHAPES: Final = frozenset({"g", "path", "polygon", "polyline", "ellipse", "text"})
_PLACES: Final = ("transform", "d", "points", "cx", "cy", "rx", "ry", "x", "y")
_LOOKS: Final = ("fill", "stroke", "stroke-width", "stroke-dasharray")
_FONTS: Final = ("text-anchor", "font-family", "font-size", "font-weight")
_ATTRIBUTES: Final = frozenset({*_PLACES, *_LOOKS, *_FONTS})
_OF_THE_PAGE: Final = {
    ("fill", INK): {"fill": "currentColor"},
    ("fill", FRAME): {"fill": "currentColor", "fill-opacity": "0.05"},
    ("fill", LINE): {"fill": "currentColor", "fill-opacity": "0.65"},
    ("stroke", INK): {"stroke": "currentColor"},
    ("stroke", LINE): {"stroke": "currentColor", "stroke-opacity": "0.65"},
}
"""Ink, lines and frames are in the colour of the text around the picture, so light and dark pages both suit it."""

_WHITE: Final = ("white", "#ffffff")
_POINT: Final = re.compile(r"(-?[\d.]+),(-?[\d.]+)")
_SIDES: Final = ("width", "height")
_PIXELS: Final = 1.15
"""Of a page for a point: a name is 14 high, so the picture is as large as the text around it."""


def page_svg(drawn: bytes, diagram: Diagram) -> str:
    """A self-contained `<svg>` without scripts, links, styles or ids but those of its title and description."""
    source = Xml.fromstring(drawn)  # noqa: S314 - written by Graphviz, which escapes what it is given
    text = describe_diagram(diagram)
    title = plain_text(diagram.title) or "Workflow"
    mark = hashlib.sha256(drawn).hexdigest()[:8]
    width, height = (round(float(source.get(side, "0pt").removesuffix("pt")) * _PIXELS) for side in _SIDES)
    root = Xml.Element(
        "svg",
        {
            "xmlns": _NAMESPACE,
            "role": "img",
            "aria-labelledby": f"title-{mark} about-{mark}",
            "width": str(width),
            "height": str(height),
            "viewBox": source.get("viewBox", ""),
        },
    )
    Xml.SubElement(root, "title", {"id": f"title-{mark}"}).text = title
    Xml.SubElement(root, "desc", {"id": f"about-{mark}"}).text = text
    root.extend(_clean(source))
    return Xml.tostring(root, encoding="unicode") + "\n"


def _clean(source: Xml.Element) -> Iterator[Xml.Element]:
    for element in source:
        name = element.tag.removeprefix(f"{{{_NAMESPACE}}}")
        if name not in _SHAPES or _is_background(element):
            continue
        copy = Xml.Element(name, dict(_attributes(name, element)))
        copy.text = element.text if name == "text" else None
        copy.extend(_clean(element))
        if element.get("class") == "node":
            _centre(copy)
        yield copy


def _centre(node: Xml.Element) -> None:
    """Put the words into the middle of the shape: the reader's fonts are not those that Graphviz measured."""
    places = (shape.get("points") or shape.get("d") or "" for shape in node)
    across = [float(x) for place in places for x, _ in _POINT.findall(place)]
    across += [float(shape.get("cx", "0")) for shape in node if shape.tag == "ellipse"]
    for text in node.iter("text"):
        text.set("x", f"{(min(across) + max(across)) / 2:g}")
        text.set("text-anchor", "middle")


def _attributes(name: str, element: Xml.Element) -> Iterator[tuple[str, str]]:
    if name == "text" and "fill" not in element.attrib:
        yield "fill", "currentColor"
    for key, value in element.items():
        if key == "fill" and value in _WHITE and name != "text":
            yield "fill", "none"
        elif key in _ATTRIBUTES:
            yield from _OF_THE_PAGE.get((key, value), {key: value}).items()
        elif key.endswith("}space"):
            yield "xml:space", "preserve"


def _is_background(element: Xml.Element) -> bool:
    return element.get("fill") in _WHITE and element.get("stroke") in ("none", "transparent")
