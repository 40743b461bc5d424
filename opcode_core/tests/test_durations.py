"""Lengths of time as people write them."""

import math

import pytest

from opcode_core import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("1h30m", 5400),
        ("2d", 172800),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("250us", 0.00025),
        ("3ns", 3e-9),
        ("0", 0),
        ("12", 12),
        ("1e2", 100),
        (0, 0),
        (2.5, 2.5),
        (" 1m ", 60),
    ],
)
def test_readable(text, seconds: float):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("-1s", "negative"),
        (-1, "negative"),
        ("", "cannot read"),
        ("1 h", "cannot read"),
        ("1x", "cannot read"),
        ("h", "cannot read"),
        (math.inf, "infinite"),
        (math.nan, "infinite"),
        ("nan", "infinite"),
        ("200000d", "hundred years"),
        (True, "expected a duration"),
        (None, "expected a duration"),
        ([1], "expected a duration"),
    ],
)
def test_unreadable(text, why: str):
    with pytest.raises(ValueError, match=why):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0ms"),
        (0.0004, "0ms"),
        (0.34, "340ms"),
        (0.9996, "1s"),
        (2.54, "2.5s"),
        (59.96, "1m"),
        (90, "1m30s"),
        (7500, "2h5m"),
        (3600, "1h"),
        (86400 * 3 + 3600 * 4, "3d4h"),
    ],
)
def test_short(seconds: float, text: str):
    assert format_duration(seconds) == text
