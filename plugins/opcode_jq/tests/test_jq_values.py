"""What programs give, over data and over the scope."""

import pytest

from opcode_core import StepView

DATA = {
    "name": "Ada",
    "n": 3,
    "price": 29.99,
    "none": None,
    "tags": ["a", "b", "c"],
    "items": [{"id": 1, "ok": True, "p": 2.5}, {"id": 2, "ok": False, "p": 10}],
    "deep": {"a": {"b": [1, {"c": "x"}]}},
    "with-dash": 1,
    "big": 9007199254740993,
    "one": 1.0,
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (".", DATA),
        (".name", "Ada"),
        (".gone", None),
        (".gone.deeper", None),
        ('."with-dash"', 1),
        ('.["with-dash"]', 1),
        (".n + 1", 4),
        (".price * 2", 59.98),
        (".n / 2", 1.5),
        (".one", 1.0),
        (".big", 9007199254740993),
        (".none", None),
        (".tags[0]", "a"),
        (".tags[-1]", "c"),
        (".tags[1:]", ["b", "c"]),
        (".tags | length", 3),
        (".tags[]", ["a", "b", "c"]),
        (".tags[0:1][]", "a"),
        (".items[] | .id", [1, 2]),
        ("[.items[] | .id]", [1, 2]),
        (".items[] | select(.ok) | .id", 1),
        ("[.items[] | select(.ok) | .id]", [1]),
        (".items[] | select(.id > 5)", None),
        ("[.items[] | select(.id > 5)]", []),
        (".items | map(.p) | add", 12.5),
        (".items | map({(.id | tostring): .ok}) | add", {"1": True, "2": False}),
        (".items | sort_by(-.p) | .[0].id", 2),
        (".items | group_by(.ok) | map(length)", [1, 1]),
        (".items | max_by(.p).id", 2),
        (".items | any(.ok)", True),
        (".items | all(.ok)", False),
        ("{name, count: (.items | length)}", {"name": "Ada", "count": 2}),
        (".deep.a.b[1].c", "x"),
        ("[.deep | .. | numbers]", [1]),
        ('.deep | paths | map(tostring) | join(".")', ["a", "a.b", "a.b.0", "a.b.1", "a.b.1.c"]),
        ("to_entries | length", 10),
        ("keys[0]", "big"),
        ('has("name")', True),
        (".name | ascii_downcase", "ada"),
        ('.name | test("^A")', True),
        ('.name | sub("d"; "x")', "Axa"),
        ('"\\(.name) has \\(.n)"', "Ada has 3"),
        ('.tags | join(", ")', "a, b, c"),
        ('.tags | index("b")', 1),
        ('.tags - ["a"]', ["b", "c"]),
        ('.gone // "default"', "default"),
        ('if .n > 2 then "many" else "few" end', "many"),
        (".n as $n | [range($n)]", [0, 1, 2]),
        ("reduce .items[] as $x (0; . + $x.p)", 12.5),
        ('[foreach .tags[] as $t (""; . + $t)]', ["a", "ab", "abc"]),
        ("def twice: . * 2; .n | twice", 6),
        ("[limit(2; .tags[])]", ["a", "b"]),
        ("first(.tags[])", "a"),
        ('try error("x") catch "caught"', "caught"),
        (".name | tojson", '"Ada"'),
        ('"[1,2]" | fromjson', [1, 2]),
        (".tags | @csv", '"a","b","c"'),
        (".name | @base64", "QWRh"),
        ("[1, [2, [3]]] | flatten", [1, 2, 3]),
        ("[3, 1, 2] | sort", [1, 2, 3]),
        ("[1, 1, 2] | unique", [1, 2]),
        ("0 | todate", "1970-01-01T00:00:00Z"),
        ('"2026-11-21T10:00:00Z" | fromdate', 1795255200),
        ("now | type", "number"),
        ("nan", None),
        ("infinite", 1.7976931348623157e308),
        ("1, 2", [1, 2]),
        ("[], {}", [[], {}]),
        ("null, null", [None, None]),
        ("empty", None),
        ("100000000000000000000001", float(10**23 + 1)),
        ("[-100000000000000000000001]", [-float(10**23 + 1)]),
        ("18446744073709551615", 18446744073709551615),
        ('"é\\u0000\\ud83d\\ude00"', "é\0😀"),
        (".n # a comment", 3),
        ("input_filename", None),
        ("$__loc__.line", 1),
        ("[.items[] | {id, total: (.p * 2)}]", [{"id": 1, "total": 5.0}, {"id": 2, "total": 20}]),
    ],
)
async def test_over_data(jq, source, value):
    result = await jq.compile(source).evaluate({"data": DATA})
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize("data", [0, False, "", [], {}, "text", [1, [2]], 1.5, {"data": 1}])
async def test_data_is_the_input_whatever_it_is(jq, data):
    assert await jq.compile(".").evaluate({"data": data, "inputs": {"x": 1}}) == data


SCOPE = {
    "inputs": {"n": 2, "name": "Ada"},
    "context": {"intent": "test"},
    "workflow": {"run_id": "r-1"},
    "iter": {"item": {"id": 7}, "index": 0},
    "data": None,
    "steps": {
        "fetch": StepView(
            {"items": [{"id": 1, "status": "new"}, {"id": 2, "status": "old"}]}, "completed", None
        ),
        "list": StepView([1, 2, 3], "completed", None),
        "text": StepView("hello", "completed", None),
        "nothing": StepView(None, "failed", {"code": "EXECUTION_ERROR", "message": "no"}),
        "http": StepView({"status": "200 OK", "output": 1}, "completed", None),
        "review-gate": StepView({"choice": "approve"}, "completed", None),
    },
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (".inputs.n", 2),
        (".inputs", {"n": 2, "name": "Ada"}),
        (".context.intent", "test"),
        (".workflow.run_id", "r-1"),
        (".iter.item.id", 7),
        ("keys", ["context", "inputs", "iter", "steps", "workflow"]),
        (".steps | keys", ["fetch", "http", "list", "nothing", "review-gate", "text"]),
        (".steps.fetch", {"items": [{"id": 1, "status": "new"}, {"id": 2, "status": "old"}]}),
        (".steps.fetch | keys", ["items"]),
        (".steps.fetch.items | length", 2),
        (".steps.fetch.output.items[0].id", 1),
        ('.steps.fetch.items[] | select(.status == "old") | .id', 2),
        ("[.steps.fetch.items[].id]", [1, 2]),
        (".steps.fetch.status", "completed"),
        (".steps.fetch.error", None),
        (".steps.list", [1, 2, 3]),
        (".steps.list[1]", 2),
        (".steps.list.output", [1, 2, 3]),
        (".steps.list.output[0]", 1),
        (".steps.list.status", "completed"),
        ("[.steps.list.output, .steps.list.status]", [[1, 2, 3], "completed"]),
        (".steps.text", "hello"),
        (".steps.text.status", "completed"),
        (".steps.nothing", None),
        (".steps.nothing.status", "failed"),
        (".steps.nothing.error.code", "EXECUTION_ERROR"),
        (".steps.http.status", "200 OK"),
        (".steps.http.output", 1),
        (".steps.http.error", None),
        ('.steps["review-gate"].choice', "approve"),
        ('.steps."review-gate".status', "completed"),
        ('. as $all | $all.steps["review-gate"].status', "completed"),
        (". as $all | $all.steps.list.status", "completed"),
        (". as $all | $all.steps.list", [1, 2, 3]),
        ('[.steps[] | objects | select(.status == "completed")] | length', 2),
        (".steps.gone", None),
        (".steps.gone.x.y", None),
        ("if .inputs.n > 1 then .steps.list else [] end", [1, 2, 3]),
        ("{n: .inputs.n, items: [.steps.fetch.items[] | .id]}", {"n": 2, "items": [1, 2]}),
        (".data", None),
    ],
)
async def test_over_the_scope(jq, source, value):
    assert await jq.compile(source).evaluate(SCOPE) == value


async def test_a_step_that_is_named_beside_its_status_stays_what_it_is(jq):
    program = jq.compile("[.steps.list, .steps.list.status]")
    from opcode_core import OpcodeError

    with pytest.raises(OpcodeError, match='Cannot index array with string \\("status"\\)'):
        await program.evaluate(SCOPE)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (".inputs.n.x", "Cannot index number with string"),
        (".inputs[]  | .x", "Cannot index"),
        ('error("my words")', "my words"),
        ("error({code: 1})", '{"code": 1}'),
        ("input", "there is no further input"),
        (".inputs.name | tonumber", "cannot be parsed as a number"),
        ("1e400", "too large a number"),
        ('"x" | fromjson', "fromjson|Invalid"),
    ],
)
async def test_failures_name_what_is_wrong(jq, source, words):
    from opcode_core import ErrorCode, OpcodeError

    with pytest.raises(OpcodeError, match=words) as caught:
        await jq.compile(source).evaluate(SCOPE)
    assert caught.value.code is ErrorCode.EXECUTION_ERROR
    assert caught.value.message.startswith("jq: ")
    assert caught.value.details["expression"] == source
