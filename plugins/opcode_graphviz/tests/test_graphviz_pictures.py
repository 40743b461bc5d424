"""Pictures as they are expected, in `tests/pictures`, and what can be seen in a PNG."""

import re
import struct
import zlib
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from opcode_core import Diagram, Lane, Node, condensed, node_words, wrap_text
from opcode_graphviz import DotRenderer, ImageRenderer, SvgRenderer, program
from opcode_testkit.diagrams import HOSTILE, every_kind, every_status, hostile, linked, long, step, wide

PICTURES = Path(__file__).parent / "pictures"
GALLERY = {
    "every_kind": every_kind(),
    "every_status": every_status(),
    "hostile": hostile(),
    "long": long(500),
    "wide": wide(500),
}


@pytest.fixture(autouse=True)
def only_the_one_from_pypi(monkeypatch):
    """Another version would place things elsewhere."""
    found = [path for path in program.installed() if path.endswith("graphviz-pure")]
    monkeypatch.setattr(program, "installed", lambda: found)


@pytest.mark.parametrize("name", GALLERY)
def test_dot_is_as_it_was(name: str):
    assert DotRenderer().render(GALLERY[name]) == (PICTURES / f"{name}.dot").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["every_kind", "every_status"])
def test_svg_is_as_it_was(name: str):
    assert SvgRenderer().render(GALLERY[name]) == (PICTURES / f"{name}.svg").read_text(encoding="utf-8")


def pixels(png: bytes) -> tuple[int, int, Counter[str]]:
    """Width, height, and how often each colour is there."""
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert (depth, kind) == (8, 6), "eight bits each of red, green, blue and opacity"
    data, place = b"", 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        if png[place + 4 : place + 8] == b"IDAT":
            data += png[place + 8 : place + 8 + length]
        place += 12 + length
    rows, stride = zlib.decompress(data), width * 4
    above, colours = bytearray(stride), Counter()
    for y in range(height):
        start = y * (stride + 1)
        row = unfiltered(rows[start], bytearray(rows[start + 1 : start + 1 + stride]), above)
        colours.update(row[x : x + 3].hex() for x in range(0, stride, 4))
        above = row
    return width, height, colours


def unfiltered(kind: int, row: bytearray, above: bytearray) -> bytearray:
    for i in range(len(row)):
        left, up = row[i - 4] if i >= 4 else 0, above[i]
        corner = above[i - 4] if i >= 4 else 0
        guess = left + up - corner
        nearest = min(
            (abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner)
        )[2]
        row[i] = row[i] + (0, left, up, (left + up) // 2, nearest)[kind] & 255
    return row


def test_a_png_has_the_colours_of_the_statuses():
    width, height, colours = pixels(ImageRenderer(dpi=48).render(every_status()))
    assert 200 < width < 1200
    assert 100 < height < 1200
    for colour in ("2d6a2d", "8b1a1a", "1a5276", "b7791a", "6b6b6b", "454545"):
        assert colours[colour] > 300, colour
    assert colours.most_common(1)[0][0] == "ffffff"


def test_a_large_png_is_drawn_no_larger_than_its_page():
    chain = [Node(f"s{i}", "x" * 200, "action", "y" * 200) for i in range(95)]
    png = ImageRenderer().render(linked(chain))
    assert max(struct.unpack(">II", png[16:24])) <= 40 * 144


def test_labels_of_steps_are_told_in_full_or_cut_in_the_middle():
    text = DotRenderer().render(linked([step("a" * 60 + "_one"), step("a" * 60 + "_two")]))
    assert "_one</B>" in text
    assert "_two</B>" in text


@pytest.mark.parametrize("text", HOSTILE)
def test_words_are_shown_as_they_are(text: str):
    node = step("x", label=text, detail="")
    root = Xml.fromstring(SvgRenderer().render(linked([node])))
    start, *lines, end = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert (start, end) == ("start", "end")
    assert lines == wrap_text(node_words(node, 52).name, 26, 2)


def test_two_lines_of_a_long_expression():
    loop = step("l", "for_each steps.first.body.items[0].things", "loop", lanes=(Lane("body", (step("s"),)),))
    assert "for_each<" not in DotRenderer().render(linked([loop]))


def test_what_is_inside_comes_between_a_step_and_what_follows_it():
    text = DotRenderer().render(every_kind())
    names = re.findall(r'(n\d+) \[label=<<FONT POINT-SIZE="12"><B>(\w+)</B>', text)
    assert [name for _, name in names] == [
        "start",
        "begin",
        "gather",
        "users",
        "sweep",
        "page",
        "check",
        "save",
        "ask",
        "pause",
        "done",
        "end",
    ]
    assert text.count("subgraph") == 5  # two are double
    arrows = re.findall(r"(n\d+) -> (n\d+)", text)
    heads = {target for _, target in arrows}
    assert heads >= {number for number, name in names if name != "start"}


def test_the_description_is_of_all_steps_also_of_those_left_out():
    diagram = wide(500)
    assert len(condensed(diagram).nodes) < 30
    svg = SvgRenderer().render(diagram)
    assert "500 steps: 494 completed, 6 failed (page-7, page-97, page-187 and 3 more)" in svg


def test_a_page_shows_no_white_and_no_ink_of_ours():
    svg = SvgRenderer().render(every_kind())
    shapes = re.sub(r"<text.*?</text>", "", svg)
    assert "#1b2430" not in svg
    assert not re.search(r'fill="(white|#ffffff|black)"', shapes)
    assert "currentColor" in shapes


def test_two_pictures_on_a_page_have_ids_of_their_own():
    one, two = (SvgRenderer().render(Diagram(title, linked([]).nodes, ())) for title in ("one", "two"))
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in (one, two)]
    assert len(ids[0]) == len(ids[1]) == 2
    assert not ids[0] & ids[1]
