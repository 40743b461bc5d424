"""What holds for all values: the functions against Python's own, and against each other."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from opcode_cel.program import compile_program
from opcode_core import OpcodeError

NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SHORT = st.text("ab", max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


def value(source: str, **inputs: Any) -> Any:
    return compile_program(source).evaluate({"inputs": inputs})


def error(source: str, **inputs: Any) -> str | None:
    try:
        value(source, **inputs)
    except OpcodeError as fault:
        return fault.message
    return None


@given(
    items=st.lists(NUMBERS, max_size=8) | st.lists(TEXTS, max_size=8) | st.lists(st.booleans(), max_size=8)
)
def test_order(items):
    assert value("inputs.x.sort()", x=items) == sorted(items)
    assert value("inputs.x.sortBy(i, i)", x=items) == sorted(items)
    assert value("inputs.x.reverse()", x=items) == items[::-1]
    if items:
        assert value("[inputs.x.min(), inputs.x.max()]", x=items) == [min(items), max(items)]
        assert value("[inputs.x.first(), inputs.x.last()]", x=items) == [items[0], items[-1]]


@given(rows=st.lists(st.tuples(st.integers(0, 3), TEXTS), max_size=8))
def test_sorting_by_a_key_leaves_what_is_equal_in_its_order(rows):
    items = [list(row) for row in rows]
    assert value("inputs.x.sortBy(r, r[0])", x=items) == sorted(items, key=lambda row: row[0])


@given(items=st.lists(JSON, max_size=6), repeats=st.integers(1, 3))
def test_distinct_is_what_in_finds(items, repeats):
    found = value("inputs.x.distinct()", x=items * repeats)
    one_by_one: list[Any] = []
    for item in items:
        if not value("inputs.i in inputs.x", i=item, x=one_by_one):
            one_by_one.append(item)
    assert repr(found) == repr(one_by_one)
    assert value("sets.equivalent(inputs.x, inputs.y)", x=items, y=found) is True


@given(one=st.lists(JSON, max_size=4), two=st.lists(JSON, max_size=4))
def test_sets_agree_with_in(one, two):
    scope = {"one": one, "two": two}
    both = value(
        "[sets.contains(inputs.one, inputs.two), inputs.two.all(x, x in inputs.one),"
        " sets.intersects(inputs.one, inputs.two), inputs.two.exists(x, x in inputs.one),"
        " sets.equivalent(inputs.one, inputs.two),"
        " sets.contains(inputs.one, inputs.two) && sets.contains(inputs.two, inputs.one)]",
        **scope,
    )
    assert both[0::2] == both[1::2]


@given(items=st.lists(st.integers(-1000, 1000), max_size=8), depth=st.integers(0, 3))
def test_lists(items, depth):
    nested: Any = items
    for _ in range(depth):
        nested = [nested]
    assert value(f"inputs.x.flatten({depth})", x=nested) == items
    assert value("inputs.x.sum()", x=items) == sum(items)
    assert value("lists.range(size(inputs.x))", x=items) == list(range(len(items)))
    for start in range(len(items) + 1):
        assert value("inputs.x.slice(0, inputs.i) + inputs.x.slice(inputs.i)", x=items, i=start) == items


@given(text=SHORT | TEXTS, part=SHORT | TEXTS, at=st.integers(0, 8))
def test_texts(text, part, at):
    assert value("inputs.t.indexOf(inputs.p)", t=text, p=part) == text.find(part)
    assert value("inputs.t.lastIndexOf(inputs.p)", t=text, p=part) == text.rfind(part)
    assert value("inputs.t.indexOf(inputs.p, inputs.i)", t=text, p=part, i=at) == text.find(part, at)
    last = value("inputs.t.lastIndexOf(inputs.p, inputs.i)", t=text, p=part, i=at)
    assert last == (text.rfind(part, 0, at + len(part)) if at <= len(text) else -1)
    assert value("inputs.t.split(inputs.p).join(inputs.p)", t=text, p=part) == text
    assert value("inputs.t.replace(inputs.p, 'z')", t=text, p=part) == text.replace(part, "z")
    assert value("inputs.t.reverse().reverse()", t=text) == text
    assert value("inputs.t.split('').map(c, c).join()", t=text) == text
    assert value("inputs.t.contains(inputs.p)", t=text, p=part) is (part in text)


@given(document=JSON)
def test_json_there_and_back(document):
    assert repr(value("json(toJson(inputs.x))", x=document)) == repr(document)
    assert value("json(toJson(inputs.x)) == inputs.x", x=document) is True


@given(document=st.dictionaries(TEXTS, JSON, max_size=5))
def test_keys_and_values(document):
    assert value("inputs.m.keys()", m=document) == list(document)
    assert repr(value("inputs.m.values()", m=document)) == repr(list(document.values()))
    assert value("inputs.m.keys().all(k, k in inputs.m) && inputs.m == inputs.m", m=document) is True


@given(number=NUMBERS)
def test_numbers(number):
    assert value("math.floor(inputs.n)", n=number) == math.floor(number)
    assert value("math.ceil(inputs.n)", n=number) == math.ceil(number)
    assert value("math.trunc(inputs.n)", n=number) == math.trunc(number)
    assert value("math.round(-inputs.n) == -math.round(inputs.n)", n=max(number, -(2**62))) is True
    assert value("double(string(double(inputs.n)))", n=number) == float(number)
    if number != -(2**63):
        assert value("math.abs(inputs.n)", n=number) == abs(number)


@given(document=JSON)
def test_default_takes_over_where_has_is_false_or_null(document):
    scope = {"x": document}
    for path in ("inputs.x", "inputs.x.a", "inputs.x[0]", "inputs.x.a.b", "inputs.y"):
        there = value(f"has({path})", **scope) and value(path, **scope) is not None
        wanted = value(path, **scope) if there else "other"
        assert repr(value(f"default({path}, 'other')", **scope)) == repr(wanted)


@settings(max_examples=200)
@given(moment=MOMENTS, zone=st.sampled_from(["UTC", "Europe/Paris", "Asia/Kathmandu", "America/St_Johns"]))
def test_the_parts_of_a_timestamp_are_those_of_a_calendar(moment, zone):
    local = moment.astimezone(ZoneInfo(zone))
    parts = value(
        "[timestamp(inputs.t)].map(t, [t.getFullYear(inputs.z), t.getMonth(inputs.z), t.getDate(inputs.z),"
        " t.getDayOfMonth(inputs.z), t.getDayOfYear(inputs.z), t.getDayOfWeek(inputs.z), t.getHours(inputs.z),"
        " t.getMinutes(inputs.z), t.getSeconds(inputs.z), t.getMilliseconds(inputs.z)])[0]",
        t=moment.isoformat().replace("+00:00", "Z"),
        z=zone,
    )
    first = [local.year, local.month - 1, local.day, local.day - 1]
    assert parts[:4] == first
    assert parts[4] == int(local.strftime("%j")) - 1
    assert parts[5] == int(local.strftime("%w"))
    assert parts[6:] == [local.hour, local.minute, local.second, local.microsecond // 1000]


@given(moment=MOMENTS, length=st.timedeltas(timedelta(days=-300), timedelta(days=300)))
def test_times_add_up(moment, length):
    scope = {"t": moment.isoformat().replace("+00:00", "Z"), "d": f"{length // timedelta(microseconds=1)}us"}
    later = value("timestamp(inputs.t) + duration(inputs.d)", **scope)
    assert datetime.fromisoformat(later) == moment + length
    assert value(
        "timestamp(inputs.t) + duration(inputs.d) - duration(inputs.d) == timestamp(inputs.t)", **scope
    )
    assert value(
        "string(timestamp(inputs.l) - timestamp(inputs.t)) == string(duration(inputs.d))", l=later, **scope
    )
    assert error("timestamp(inputs.t) + timestamp(inputs.t)", **scope)


@given(nanos=st.integers(-(2**63) + 1, 2**63 - 1))
def test_durations_are_read_as_they_are_written(nanos):
    text = value("string(duration(inputs.d))", d=f"{nanos}ns")
    assert value("duration(inputs.d) == duration(inputs.t)", d=f"{nanos}ns", t=text) is True


@given(source=TEXTS, prefix=st.sampled_from(["", "r", "b"]))
def test_a_text_as_a_literal(source, prefix):
    escaped = source.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    if prefix == "r":
        escaped = "".join(one for one in source if one not in "'\n\r")
        assert value(f"r'{escaped}'") == escaped
    elif prefix == "b":
        assert value(f"string(b'{escaped}')") == source
    else:
        assert value(f"'{escaped}'") == source
        assert value(f"'''{escaped}'''") == source
