"""Times over the changes of daylight saving, compared with a daemon that looks at the clock each minute."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from cron_oracle import Said, at, fires, minutes_of
from hypothesis import given, settings
from hypothesis import strategies as st

from opcode_scheduler.times import times_of

ALL = {
    "minutes": frozenset(range(60)),
    "hours": frozenset(range(24)),
    "days": frozenset(range(1, 32)),
    "months": frozenset(range(1, 13)),
    "weekdays": frozenset(range(7)),
}
ZONES = [
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Africa/Casablanca",
    "America/St_Johns",
    "UTC",
]
CHANGES = {  # about when clocks are set in 2026, in UTC
    "Europe/Paris": ["2026-03-29T01:00", "2026-10-25T01:00"],
    "America/New_York": ["2026-03-08T07:00", "2026-11-01T06:00"],
    "Australia/Lord_Howe": ["2026-04-04T15:00", "2026-10-03T15:30"],
    "America/St_Johns": ["2026-03-08T05:30", "2026-11-01T04:30"],
}


def said(text, **fields):
    meant = {name: frozenset(values) for name, values in fields.items()}
    return Said(text, **{**ALL, **meant})


EXPRESSIONS = [
    said("30 2 * * *", minutes=[30], hours=[2]),
    said("0 2 * * *", minutes=[0], hours=[2]),
    said("0 3 * * *", minutes=[0], hours=[3]),
    said("45 1 * * *", minutes=[45], hours=[1]),
    said("0,30 1-3 * * *", minutes=[0, 30], hours=[1, 2, 3]),
    said("*/15 * * * *", minutes=[0, 15, 30, 45]),
    said("30 * * * *", minutes=[30]),
    said("*/20 2 * * *", minutes=[0, 20, 40], hours=[2]),
    said("15 2 * * 0", minutes=[15], hours=[2], weekdays=[0]),
    said("10 2 1,29 * 0", minutes=[10], hours=[2], days=[1, 29], weekdays=[0]),
    said("0 0 13 * 5", minutes=[0], hours=[0], days=[13], weekdays=[5]),
    said("0 0 */2 * 1", minutes=[0], hours=[0], days=range(1, 32, 2), weekdays=[1]),
]


def ours(expression, zone, first, last):
    times, found = times_of(expression, zone), []
    time = times.after(first.timestamp() - 1)
    while time is not None and time <= last.timestamp():
        found.append(time)
        time = times.after(time)
    return found


@pytest.fixture(scope="module", params=ZONES[:4])
def year(request):
    first, last = at("2026-01-01"), at("2026-12-31T23:59")
    return request.param, first, last, list(minutes_of(request.param, first, last))


@pytest.mark.parametrize("one", [EXPRESSIONS[0], EXPRESSIONS[9]], ids=lambda one: one.text)
def test_a_year_minute_by_minute(year, one):
    zone, first, last, minutes = year
    found = ours(one.text, zone, first, last)
    assert found == list(fires(one, minutes))
    assert len(found) > 50


@pytest.mark.parametrize("zone", CHANGES)
@pytest.mark.parametrize("one", EXPRESSIONS, ids=lambda one: one.text)
def test_both_changes_of_a_year(zone, one):
    for change in CHANGES[zone]:
        first, last = at(change) - timedelta(days=3), at(change) + timedelta(days=3)
        expected = list(fires(one, minutes_of(zone, first, last)))
        assert ours(one.text, zone, first, last) == expected, change


hour_sets = st.sets(st.integers(0, 4), min_size=1, max_size=3)
minute_sets = st.sets(st.integers(0, 59), min_size=1, max_size=4)


@given(
    zone=st.sampled_from(sorted(CHANGES)),
    which=st.integers(0, 1),
    minutes=minute_sets,
    hours=hour_sets,
    stars=st.sampled_from(["", "minute", "hour"]),
    start=st.integers(-120, 120) | st.integers(-2160, 720),
)
@settings(max_examples=60, deadline=None)
def test_any_times_about_a_change(zone, which, minutes, hours, stars, start):
    minutes = set(range(60)) if stars == "minute" else minutes
    hours = set(range(24)) if stars == "hour" else hours
    text = " ".join(
        [
            "*" if stars == "minute" else ",".join(map(str, minutes)),
            "*" if stars == "hour" else ",".join(map(str, hours)),
            "* * *",
        ]
    )
    first = at(CHANGES[zone][which]) + timedelta(minutes=start)
    last = first + timedelta(days=2)
    one = said(text, minutes=minutes, hours=hours)
    earlier = first - timedelta(days=1)  # the daemon has run for a while
    expected = [time for time in fires(one, minutes_of(zone, earlier, last)) if time >= first.timestamp()]
    assert ours(text, zone, first, last) == expected


def local(zone, times):
    return [datetime.fromtimestamp(time, ZoneInfo(zone)).isoformat() for time in times]


def test_a_time_that_does_not_exist_comes_at_the_first_moment_after_the_gap():
    times = times_of("30 2 * * *", "Europe/Paris").following(at("2026-03-28T12:00").timestamp(), 2)
    assert local("Europe/Paris", times) == ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]


def test_a_time_that_comes_twice_fires_at_the_first():
    times = times_of("30 2 * * *", "Europe/Paris").following(at("2026-10-24T12:00").timestamp(), 2)
    assert local("Europe/Paris", times) == ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]


def test_the_second_time_that_the_clock_shows_it_is_none():
    asked = at("2026-10-25T01:10").timestamp()  # it shows 02:10 again
    assert local("Europe/Paris", times_of("30 2 * * *", "Europe/Paris").following(asked, 1)) == [
        "2026-10-26T02:30:00+01:00"
    ]


@pytest.mark.parametrize("zone", CHANGES)
def test_intervals_go_on_each_real_quarter_of_an_hour(zone):
    for change in CHANGES[zone]:
        times = times_of("*/15 * * * *", zone).following(at(change).timestamp() - 7200, 20)
        assert {later - earlier for earlier, later in pairwise(times)} == {900}


def test_a_day_that_a_zone_left_out_comes_at_the_first_moment_after_it():
    times = times_of("0 12 * * *", "Pacific/Apia").following(at("2011-12-29T23:00").timestamp(), 2)
    assert local("Pacific/Apia", times) == ["2011-12-31T00:00:00+14:00", "2011-12-31T12:00:00+14:00"]


moments = st.integers(int(at("2025-06-01").timestamp()), int(at("2027-06-01").timestamp()))


@given(
    one=st.sampled_from(EXPRESSIONS),
    zone=st.sampled_from(ZONES),
    until=moments,
    back=st.integers(0, 40 * 86400),
)
@settings(max_examples=200, deadline=None)
def test_the_last_time_is_the_one_before_the_next(one, zone, until, back):
    times = times_of(one.text, zone)
    found = times.last(until - back, until)
    if found is None:
        following = times.after(until - back - 1)
        assert following is None or following > until
    else:
        assert until - back <= found <= until
        assert times.after(found - 1) == found
        assert times.after(found) > until


@given(since=moments, span=st.integers(0, 20 * 86400), most=st.integers(1, 30))
@settings(max_examples=100, deadline=None)
def test_the_first_of_the_newest(since, span, most):
    times, until = times_of("0 */5 * * *", "Europe/Paris"), since + span
    walked, time = [], times.after(since - 1)
    while time <= until:
        walked.append(time)
        time = times.after(time)
    assert times.first_of_newest(since, until, most) == (walked[-most:] or [None])[0]


def test_years_of_minutes_take_no_walk():
    times = times_of("* * * * *", "Europe/Paris")
    started = datetime.now(UTC)
    assert times.last(0, at("2026-01-01T00:00:30").timestamp()) == at("2026-01-01").timestamp()
    assert (
        times.first_of_newest(0, at("2026-01-01").timestamp(), 100) == at("2026-01-01").timestamp() - 99 * 60
    )
    assert (datetime.now(UTC) - started).total_seconds() < 5


def test_the_calendar_ends():
    end = datetime(9999, 12, 31, 23, 59, tzinfo=UTC).timestamp()
    assert times_of("* * * * *", "UTC").after(end) is None
    assert times_of("0 0 1 1 *", "Europe/Paris").after(end) is None
