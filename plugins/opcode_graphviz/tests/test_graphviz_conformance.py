"""What every renderer must do, and that each program that reads these formats accepts what comes out."""

import re
import struct
import warnings
import zlib
from xml.etree import ElementTree as Xml

from opcode_graphviz import DotRenderer, ImageRenderer, SvgRenderer
from opcode_graphviz.program import graphviz
from opcode_testkit.diagrams import RendererConformance

with warnings.catch_warnings(action="ignore"):  # pydot's parser calls things by names that pyparsing gave up
    import pydot.dot_parser
    import pyparsing

    pyparsing.ParserElement.enable_packrat()  # without it, each frame within a frame takes it four times as long

SVG = "{http://www.w3.org/2000/svg}"
SHAPES = {"svg", "title", "desc", "g", "path", "polygon", "polyline", "ellipse", "text"}


class TestDot(RendererConformance):
    renderer = DotRenderer()

    def check(self, drawing, diagram) -> None:
        (graph,) = pydot.graph_from_dot_data(drawing)
        assert graph.get_node_list()
        assert graphviz(drawing, "-Tplain").startswith(b"graph ")
        assert not re.search(r"URL|href|image|shapefile", re.sub(r"label=<.*?>[,\]]", "", drawing))


class TestSvg(RendererConformance):
    renderer = SvgRenderer()

    def check(self, drawing, diagram) -> None:
        root = Xml.fromstring(drawing)
        assert root.get("role") == "img"
        assert root[0].tag == SVG + "title"
        assert root[0].text
        assert re.match(r"\d+ steps?", root[1].text)
        for element in root.iter():
            assert element.tag.removeprefix(SVG) in SHAPES
            assert not any(
                name.startswith("on") or name in ("style", "class", "href") or "xlink" in name
                for name in element.attrib
            )
            assert element is root or "url(" not in str(element.attrib)


class TestImage(RendererConformance):
    renderer = ImageRenderer(dpi=48)  # a quarter of the work

    def check(self, drawing, diagram) -> None:
        width, height = size(drawing)
        assert 20 < width < 4000
        assert 20 < height < 4000


def size(png: bytes) -> tuple[int, int]:
    """Of a picture whose parts are all whole."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    place, kinds = 8, []
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        kind, data = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        assert struct.unpack(">I", png[place + 8 + length : place + 12 + length])[0] == zlib.crc32(
            kind + data
        )
        kinds.append(kind)
        place += 12 + length
    assert (kinds[0], kinds[-1]) == (b"IHDR", b"IEND")
    return struct.unpack(">II", png[16:24])
