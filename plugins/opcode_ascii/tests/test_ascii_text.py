"""What a terminal is sent has the width that the layout counted with, and can do no harm."""

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from wcwidth import wcswidth

from opcode_ascii.text import plain, shorten, shorten_name, width


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=12), st.integers(0, 12))
@example("0 \xad", 3)
@example("\u1062", 3)
@example("0\r\U000e0080", 3)
@example("e" + "\u0301" * 50, 1)
def test_widths_are_those_of_the_terminal(text: str, room: int):
    shown = plain(text)
    assert plain(shown) == shown
    assert wcswidth(shown) == width(text)
    assert not any(unicodedata.category(char) in {"Cc", "Cf"} for char in shown)
    assert width(shorten(text, room)) <= room
    assert width(shorten_name(text, room)) <= room


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\n\nc", "a b c"),
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("\x07\x7f\x9b", "␇␡�"),
        ("\u202egnp.exe\u2066", "gnp.exe"),
        ("\ud800", "�"),
        ("\u2764\ufe0f", "\u2764"),
        ("\u0301x", "x"),
        ("z" + "\u0336" * 500, "z" + "\u0336" * 7),
    ],
)
def test_what_cannot_be_shown_is_replaced_or_gone(text: str, shown: str):
    assert plain(text) == shown


def test_shortening():
    assert shorten("abcdefgh", 8) == "abcdefgh"
    assert shorten("abcdefgh", 5) == "abcd…"
    assert shorten_name("transform_17", 8) == "trans…17"
    assert shorten("日本語", 4) == "日…"
    assert shorten("one two", 5) == "one…"
    assert shorten("x" * 100_000, 3) == "xx…"
