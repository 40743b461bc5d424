"""Words and colours of nodes."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcode_core import Node, describe_diagram, node_words, plain_text, status_paint, text_columns, wrap_text
from opcode_core.looks import PAINTS, PLAIN
from opcode_core.state import STEP_MOVES
from opcode_testkit.diagrams import HOSTILE, every_status, linked, step, wide


def brightness(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("paint", [PLAIN, *PAINTS.values()])
def test_words_can_be_read_on_every_colour(paint):
    light, dark = sorted((brightness(paint.ink), brightness(paint.fill)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_every_status_has_colours():
    assert set(PAINTS) == set(STEP_MOVES)
    assert status_paint(None) is PLAIN
    assert status_paint("odd") == status_paint("pending")
    assert [status for status in PAINTS if status_paint(status).dashed] == ["retrying", "skipped"]


def test_the_words_of_a_step():
    words = node_words(Node("a", "a\n b", "action", "http.get", "completed", 72.4))
    assert (words.name, words.detail, words.state) == ("a b", "http.get", "completed 1m12s")
    assert node_words(Node("a", "", "action")).name == "(no name)"
    assert node_words(step("x" * 100 + "_17"), 20).name == "x" * 13 + "…" + "xxx_17"


def test_what_is_left_out_is_counted_only_once():
    assert node_words(Node("m", "… 4 more", "more", "4 completed", "completed")).state == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\n\nc", "a b c"),
        ("\x00\x1b[31m\x7f\x9b", "␀␛[31m␡�"),
        ("\u202egnp.exe\u2066", "gnp.exe"),
        ("\ud800\ufffe\ufdd0", "���"),
        ("👨\u200d👩 ❤\ufe0f", "👨\u200d👩 ❤\ufe0f"),
        ("שלום 名前", "שלום 名前"),
        (" ", ""),
    ],
)
def test_any_text_becomes_one_harmless_line(text: str, shown: str):
    assert plain_text(text) == shown


@given(st.text())
def test_no_text_is_more_than_a_line_of_xml(text: str):
    shown = plain_text(text)
    assert plain_text(shown) == shown
    assert not any(unicodedata.category(char) in ("Cc", "Cs") or char in "\ufffe\uffff" for char in shown)


@given(st.text(max_size=80) | st.sampled_from(HOSTILE), st.integers(2, 40), st.integers(1, 4))
def test_lines_are_no_longer_than_there_is_room(text: str, room: int, most: int):
    lines = wrap_text(plain_text(text), room, most)
    assert len(lines) <= most
    assert all(0 < text_columns(line) <= room or not line.strip("\u0300\u200d") for line in lines)


def test_words_are_kept_whole_where_they_fit():
    assert wrap_text("for_each steps.first.body.items", 16) == ["for_each", "steps.first.body", ".items"]
    assert wrap_text("one two three four", 9, 2) == ["one two", "three fo…"]


def test_a_diagram_in_words():
    assert describe_diagram(linked([])) == "0 steps"
    assert describe_diagram(linked([step("a")])) == "1 step"
    assert "1 failed (s_failed)" in describe_diagram(every_status())
    assert describe_diagram(wide(500)).endswith("6 failed (page-7, page-97, page-187 and 3 more)")
