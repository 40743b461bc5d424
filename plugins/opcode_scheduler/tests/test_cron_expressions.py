"""Expressions mean what cron's manual says, and what is wrong is said."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opcode_scheduler.cron import NAMED, BadCron, read_cron
from opcode_scheduler.times import times_of
from opcode_scheduler.zones import BadZone, zone_of

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
BOUNDS = {"minutes": (0, 59), "hours": (0, 23), "days": (1, 31), "months": (1, 12), "weekdays": (0, 7)}


@pytest.mark.parametrize(
    ("text", "field", "meant"),
    [
        ("5 * * * *", "minutes", {5}),
        ("*/20 * * * *", "minutes", {0, 20, 40}),
        ("10-20/5,59 * * * *", "minutes", {10, 15, 20, 59}),
        ("*/60 * * * *", "minutes", {0}),
        ("* 0-23/12 * * *", "hours", {0, 12}),
        ("* * * JAN,dec *", "months", {1, 12}),
        ("* * * mar-may *", "months", {3, 4, 5}),
        ("* * * * 0", "weekdays", {0}),
        ("* * * * 7", "weekdays", {0}),
        ("* * * * Sun", "weekdays", {0}),
        ("* * * * 1-5", "weekdays", {1, 2, 3, 4, 5}),
        ("* * * * mon-FRI", "weekdays", {1, 2, 3, 4, 5}),
        ("* * * * 5-7", "weekdays", {5, 6, 0}),
        ("* * * * sat-sun", "weekdays", {6, 0}),
        ("* * * * 0-7", "weekdays", set(range(7))),
        ("* * * * */2", "weekdays", {0, 2, 4, 6}),
        ("* * * * 1-7/2", "weekdays", {1, 3, 5, 0}),
        ("@weekly", "weekdays", {0}),
        ("  @Daily ", "hours", {0}),
        ("0\t9 *  * *", "hours", {9}),
    ],
)
def test_a_field_means(text, field, meant):
    assert getattr(read_cron(text), field) == meant


@pytest.mark.parametrize("name", NAMED)
def test_names_are_the_expressions_that_the_manual_gives(name):
    assert read_cron(name) == read_cron(NAMED[name])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "0 fields; it needs five"),
        ("* * * *", "4 fields"),
        ("* * * * * *", "no seconds"),
        ("60 * * * *", "minute: 60 is not 0 to 59"),
        ("* 24 * * *", "hour: 24 is not 0 to 23"),
        ("* * 0 * *", "day of month: 0 is not 1 to 31"),
        ("* * * 13 *", "month: 13 is not 1 to 12"),
        ("* * * * 8", "day of week: 8 is not 0 to 7"),
        ("* * * * tuesday", "'tuesday' is not a number from 0 to 7 or sun, mon"),
        ("* * * juni *", "did you mean 'jun'"),
        ("5/15 * * * *", "a step needs a range; write 5-59/15"),
        ("*/0 * * * *", "a step is 1 to 60"),
        ("*/61 * * * *", "a step is 1 to 60"),
        ("20-10 * * * *", "goes backwards; write 20-59,0-10"),
        ("1,,2 * * * *", "is not cron"),
        ("* * ? * *", "is not cron"),
        ("* * L * *", "'L' is not a number from 1 to 31"),
        ("* * * * 5#2", "is not cron"),
        ("-1 * * * *", "is not cron"),
        ("0 0 31 2 *", "never comes true"),
        ("0 0 30,31 feb */1", "never comes true"),
        ("0 0 31 4,6,9,11 *", "never comes true"),
        ("@reboot", "there is no '@reboot'"),
        ("@dayly", "did you mean '@daily'"),
        ("@every 5m", "it needs five"),
        ("١ * * * *", "is not a number"),
        ("0" * 100_000, "100000 characters"),
        ("9999999999 * * * *", "is not 0 to 59"),
    ],
)
def test_what_is_wrong_is_said(text, said):
    with pytest.raises(BadCron) as refused:
        read_cron(text)
    assert said in str(refused.value)
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize("text", ["0 0 29 2 *", "0 0 31 2 1", "0 0 31 * *", "0 0 */31 2 *", "0 0 30 2-3 *"])
def test_what_comes_true_seldom_is_allowed(text):
    assert times_of(text, "UTC").after(0) is not None


@pytest.mark.parametrize(
    "name",
    ["", "europe/paris", "Mars/Base", "../../etc/passwd", "/etc/passwd", "Europe", "x\0", "é", "A" * 500],
)
def test_a_zone_that_is_none_is_refused(name):
    with pytest.raises(BadZone) as refused:
        zone_of(name)
    assert "there is no time zone" in str(refused.value)
    assert len(str(refused.value)) < 200


def test_the_nearest_zone_is_named():
    with pytest.raises(BadZone, match="did you mean 'Europe/Paris'"):
        zone_of("Europe/Pari")


@st.composite
def parts(draw, field):
    """A part of a field, and what it means."""
    least, most = BOUNDS[field]
    names = {
        "months": dict(zip(range(1, 13), MONTHS, strict=True)),
        "weekdays": dict(zip(range(7), DAYS, strict=True)),
    }.get(field, {})

    def written(value):
        name = names.get(value)
        return draw(st.sampled_from([name, name.upper()])) if name and draw(st.booleans()) else str(value)

    kind = draw(st.sampled_from(["all", "step", "one", "range", "stepped"]))
    step = draw(st.integers(1, most - least + 1))
    if kind in ("all", "step"):
        meant = range(least, most + 1, step if kind == "step" else 1)
        return ("*" if kind == "all" else f"*/{step}"), set(meant)
    first = draw(st.integers(least, most))
    if kind == "one":
        return written(first), {first}
    last = draw(st.integers(first, most))
    text = f"{written(first)}-{written(last) if last < 7 else last}"
    if kind == "range":
        return text, set(range(first, last + 1))
    return f"{text}/{step}", set(range(first, last + 1, step))


@st.composite
def fields(draw, field):
    found = draw(st.lists(parts(field), min_size=1, max_size=3))
    return ",".join(text for text, _ in found), set().union(*(meant for _, meant in found))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_whatever_is_written_is_read_and_fires_when_it_matches(data):
    said = {field: data.draw(fields(field), field) for field in BOUNDS}
    text = " ".join(part for part, _ in said.values())
    meant = {field: values for field, (_, values) in said.items()}
    meant["weekdays"] = {day % 7 for day in meant["weekdays"]}
    try:
        cron = read_cron(text)
    except BadCron as refused:
        assert "never comes true" in str(refused)
        assert not any(_is_day(month, day) for month in meant["months"] for day in meant["days"])
        return
    assert {field: set(getattr(cron, field)) for field in BOUNDS} == meant
    either = not said["days"][0].startswith("*") and not said["weekdays"][0].startswith("*")
    start = data.draw(st.integers(1_672_531_200, 1_767_225_600), "start")
    found = times_of(text, "UTC").after(start)
    expected = _next(meant, either, datetime.fromtimestamp(start, UTC))
    if expected is not None:
        assert found is not None
        assert datetime.fromtimestamp(found, UTC) == expected, text


def _is_day(month, day):
    try:
        return bool(datetime(2024, month, day, tzinfo=UTC))
    except ValueError:
        return False


def _next(meant, either, start):
    """By trying all days of four years, then all minutes of the day."""
    day = start.replace(hour=0, minute=0, second=0, microsecond=0)
    for _ in range(4 * 366):
        by_date, by_weekday = day.day in meant["days"], day.isoweekday() % 7 in meant["weekdays"]
        if day.month in meant["months"] and (by_date or by_weekday if either else by_date and by_weekday):
            for minute in range(1440):
                moment = day + timedelta(minutes=minute)
                if moment > start and moment.minute in meant["minutes"] and moment.hour in meant["hours"]:
                    return moment
        day += timedelta(days=1)
    return None
