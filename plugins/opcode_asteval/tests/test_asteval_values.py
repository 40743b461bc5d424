"""What expressions give, over data and over the scope."""

import pytest

from opcode_core import ErrorCode, OpcodeError, StepView

SCOPE = {
    "inputs": {"n": 5, "name": "Ada", "price": 29.99, "none": None, "items": ["x"], "_id": 1},
    "context": {"intent": "test"},
    "workflow": {"run_id": "r-1"},
    "data": {
        "rows": [{"id": 1, "p": 2.5, "ok": True}, {"id": 2, "p": 10, "ok": False}],
        "keys": 3,
        "copy": 4,
    },
    "iter": {"item": {"id": 7}, "index": 0},
    "loop": {"item": {"id": 7}, "index": 0},
    "steps": {
        "fetch": StepView({"items": [{"id": 1}, {"id": 2}], "values": 9, "get": 8}, "completed", None),
        "list": StepView([1, 2, 3], "completed", None),
        "text": StepView("hello", "completed", None),
        "nothing": StepView(None, "failed", {"code": "EXECUTION_ERROR"}),
        "http": StepView({"status": "200 OK", "output": 1}, "completed", None),
        "review-gate": StepView({"choice": "approve"}, "completed", None),
    },
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        # Numbers.
        ("1 + 1", 2),
        ("7 / 2", 3.5),
        ("7 // 2", 3),
        ("-7 % 3", 2),
        ("2 ** 10", 1024),
        ("2 ** -1", 0.5),
        ("1 << 4 | 3", 19),
        ("~5 & 0xFF", 250),
        ("inputs.price * 2", 59.98),
        ("inputs.n + 0.5", 5.5),
        ("round(2.567, 1)", 2.6),
        ("round(2.5)", 2),
        ("abs(-3)", 3),
        ("floor(2.7) + ceil(2.1)", 5),
        ("divmod(7, 2)", [3, 1]),
        ("int('12') + int(3.9) + float('1.5')", 16.5),
        ("int('ff', 16)", 255),
        ("2 ** 63 - 1", 9223372036854775807),
        ("2 ** 64 - 1", 18446744073709551615),
        ("float(10 ** 30)", 1e30),
        ("str(2 ** 100)", "1267650600228229401496703205376"),
        ("1_000 + 1e3", 2000.0),
        # Truth.
        ("True and None", None),
        ("0 or 'x'", "x"),
        ("not inputs.none", True),
        ("1 < inputs.n <= 5", True),
        ("3 < inputs.n < 4", False),
        ("inputs.n == 5.0", True),
        ("inputs.none is None", True),
        ("inputs.n is not None", True),
        ("'x' in inputs.items", True),
        ("'name' in inputs", True),
        ("9 not in [1, 2]", True),
        ("'many' if inputs.n > 3 else 'few'", "many"),
        ("bool([]) or bool('x')", True),
        ("any(r.ok for r in data.rows)", True),
        ("all([r.ok for r in data.rows])", False),
        # Texts.
        ("'a' + 'b' * 3", "abbb"),
        ("3 * 'ab'", "ababab"),
        ("inputs.name.upper()", "ADA"),
        ("' a '.strip() + 'B'.lower()", "ab"),
        ("'a,b,,c'.split(',')", ["a", "b", "", "c"]),
        ("'-'.join(str(x) for x in steps.list)", "1-2-3"),
        ("'banana'.replace('a', 'o', 2)", "bonona"),
        ("'banana'.count('an') + 'banana'.find('x')", 1),
        ("'Hello'.startswith('He') and 'Hello'.endswith(('x', 'lo'))", True),
        ("'7'.zfill(3) + 'a'.rjust(3, '.') + 'b'.ljust(2) + 'c'.center(3)", "007..ab  c "),
        ("'abc'[::-1] + 'abc'[1] + 'abc'[-2:]", "cbabbc"),
        ("f'{inputs.name} has {inputs.n}'", "Ada has 5"),
        (
            "f'{inputs.price:.1f}|{inputs.n:>4}|{inputs.n:04d}|{1234567:,}|{0.5:.0%}|{255:x}'",
            "30.0|   5|0005|1,234,567|50%|ff",
        ),
        ("f'{inputs.name!r:>6}{{}}'", " 'Ada'{}"),
        ("f'{inputs.none} {data.rows[0].ok} {[1]}'", "None True [1]"),
        ("'é\\u0000\\ud83d'", "é\0\ud83d"),
        ("'a' 'b'", "ab"),
        ("'x.tar.gz'.rpartition('.')", ["x.tar", ".", "gz"]),
        ("'prefix-a'.removeprefix('prefix-').isalpha()", True),
        # Lists, objects, sets.
        ("[1, 2] + [3]", [1, 2, 3]),
        ("[0] * 3", [0, 0, 0]),
        ("len(data.rows)", 2),
        ("sum(r.p for r in data.rows)", 12.5),
        ("sum([1, 2], 10)", 13),
        ("min(3, 1, 2) + max([3, 1])", 4),
        ("max([], default=7)", 7),
        ("max(data.rows, key='p').id", 2),
        ("sorted([3, 1, 2], reverse=True)", [3, 2, 1]),
        ("sorted(['bb', 'a'], key=len)", ["a", "bb"]),
        ("[r.id for r in sorted(data.rows, key='p', reverse=True)]", [2, 1]),
        ("reversed([1, 2])", [2, 1]),
        ("list('ab') + list((1, 2))", ["a", "b", 1, 2]),
        ("list(range(3))", [0, 1, 2]),
        ("range(2, 10, 3)", [2, 5, 8]),
        ("range(10)[3] + len(range(5))", 8),
        ("zip([1, 2], 'ab')", [[1, "a"], [2, "b"]]),
        ("enumerate('ab', 1)", [[1, "a"], [2, "b"]]),
        ("{i: x for i, x in enumerate('ab')}", {"0": "a", "1": "b"}),
        ("[x * y for x in [1, 2] for y in [10, 20] if x * y != 20]", [10, 40]),
        ("[a + b for a, (b, c) in [(1, (2, 3))]]", [3]),
        ("[[x for x in row] for row in [[1], [2, 3]]]", [[1], [2, 3]]),
        ("{x % 2 for x in range(5)}", [0, 1]),
        ("{'b', 'a'}", ["a", "b"]),
        ("sorted({1, 2} | {3} - {1})", [1, 2, 3]),
        ("set('aab') & {'a', 'c'}", ["a"]),
        ("{1, 'a', None}", [None, 1, "a"]),
        ("(1, (2, 3))", [1, [2, 3]]),
        ("tuple([1])", [1]),
        ("{'a': 1} | {'b': 2}", {"a": 1, "b": 2}),
        ("{'a': {'b': [1]}}.a.b[0]", 1),
        ("dict(a=1)", {"a": 1}),
        ("dict(zip(['a', 'b'], [1, 2]))", {"a": 1, "b": 2}),
        ("{1: 'a', None: 2, True: 3, 1.5: 4}", {"1": 3, "null": 2, "1.5": 4}),
        ("[1, 2, 3][1:]", [2, 3]),
        ("[1, 2, 3][-1]", 3),
        ("[5, 6].index(6) + [5, 5].count(5)", 3),
        ("{'a': 1}.get('b', 7)", 7),
        ("data.get('gone')", None),
        ("max(*[1, 2], 3)", 3),
        ("[]", []),
        ("{}", {}),
        ("None", None),
        # A key is a key, and with parentheses a method.
        ("steps.fetch.items", [{"id": 1}, {"id": 2}]),
        ("len(steps.fetch.items)", 2),
        ("steps.fetch.values", 9),
        ("steps.fetch.get", 8),
        ("steps.fetch.get('values')", 9),
        ("data.keys", 3),
        ("sorted(data.keys())", ["copy", "keys", "rows"]),
        ("data.copy", 4),
        ("{k: v for k, v in data.items() if k != 'rows'}", {"keys": 3, "copy": 4}),
        ("inputs._id", 1),
        ("data['rows'][1]['id']", 2),
        # Steps.
        ("steps.fetch.output['items'][0].id", 1),
        ("steps.fetch.status", "completed"),
        ("steps['fetch'].error", None),
        ("steps.list", [1, 2, 3]),
        ("steps.list[0] + steps.list.output[1]", 3),
        ("steps.list + [4]", [1, 2, 3, 4]),
        ("len(steps.text) + len(steps.text.status)", 14),
        ("steps.nothing", None),
        ("steps.nothing.status + ' ' + steps.nothing.error.code", "failed EXECUTION_ERROR"),
        ("steps.http.status", "200 OK"),
        ("steps.http.output", 1),
        ("steps.http.error", None),
        ("steps['review-gate'].choice", "approve"),
        ("steps['review-' + 'gate'].choice", "approve"),
        ("[id for id in steps if steps[id].status == 'failed']", ["nothing"]),
        ("sum(1 for s in steps.values() if s.status == 'completed')", 4),
        ("[s.choice for id, s in steps.items() if id == 'review-gate']", ["approve"]),
        ("'fetch' in steps and 'gone' not in steps", True),
        ("len(steps)", 6),
        ("steps.get('gone')", None),
        ("steps.get('text').status", "completed"),
        ("steps", {key: step.output for key, step in SCOPE["steps"].items()}),
        ("[steps.list, steps.text]", [[1, 2, 3], "hello"]),
        ("str(steps.list) + f'{steps.text}'", "[1, 2, 3]hello"),
        ("str(steps.values()[1])", "[1, 2, 3]"),
        # The rest of the scope.
        ("context.intent + workflow.run_id", "testr-1"),
        ("loop.item.id + iter.index", 7),
        ("data", SCOPE["data"]),
        ("  1 + 1\n", 2),
        ("(1 +\n 1)", 2),
    ],
)
async def test_values(python, source, value):
    result = await python.compile(source).evaluate(SCOPE)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize("data", [None, 0, False, "", [], {}, "text", [1, [2]], 1.5])
async def test_data_is_what_was_given(python, data):
    assert await python.compile("data").evaluate({"data": data}) == data


async def test_data_is_null_where_none_was_given(python):
    assert await python.compile("data is None").evaluate({"inputs": {}}) is True


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("inputs.nme", "inputs has no 'nme'; it has: _id, items, n, name, none, price"),
        ("inputs.n.x", "inputs.n is a number, so it has no 'x'"),
        ("inputs.none.x", "inputs.none is null, so it has no 'x'"),
        ("steps.gone", "steps has no 'gone'; it has: fetch, http, list, nothing, review-gate, text"),
        ("steps.gone.status == 'failed'", "steps has no 'gone'; it has: fetch"),
        ("steps[inputs.name].x", "steps has no 'Ada'; it has: fetch"),
        ("steps.fetch.itms", "steps.fetch has no 'itms'; it has: get, items, values"),
        ("steps.list.x", "steps.list is a list, so it has no 'x'"),
        ("steps.list['x']", "steps.list is a list: its index is a number"),
        ("steps.list[7]", r"steps.list has 3 items, so it has no \[7\]"),
        ("steps.list[1.5]", "steps.list is a list: its index is a number"),
        ("data[0]", "data is an object, and has no 0; it has: copy"),
        ("inputs.n[0]", r"inputs.n is a number, so it has no \[0\]"),
        ("inputs.n()", None),
        ("inputs.n.upper()", "inputs.n is a number, which has no method 'upper'"),
        ("1 / 0", "1 / 0: division by zero"),
        ("1 + 'a'", r"1 \+ 'a': unsupported operand"),
        ("'%d' % 1", "not with %"),
        ("len(5)", r"len\(5\): object of type 'int' has no len"),
        ("sum(['a'])", "unsupported operand"),
        ("sum([[1]], [])", "sum adds numbers"),
        ("int('x')", "invalid literal"),
        ("[x for x in 5]", "not iterable"),
        ("[a for a, b in [(1, 2, 3)]]", "there are 3 values for 2 names"),
        ("{[1]: 2}", "unhashable"),
        ("[1].index(2)", "2 is not in list"),
        ("'-'.join([1])", "join takes texts, not int; write str"),
        ("sorted([1, 'a'])", "not supported between"),
        ("sorted([1], key=3)", "key is a function such as len"),
        ("sorted([{}], key='p')", "an item has no 'p'"),
        ("float('nan')", "the result is nan, which JSON cannot hold"),
        ("[1e308 * 10]", "the result is inf"),
        ("2 ** 64", "more than 64 bits; write float"),
        ("(-8) ** 0.5", "a complex, which JSON cannot hold"),
        ("{(1, 2): 3}", "a tuple as a key"),
        ("f'{1:z}'", "'z' is not a format"),
        ("f'{[1]:>{5}d}'", None),
        ("zip([1], [], strict=True)", "shorter"),
        ("len(1, 2)", "takes exactly one argument"),
        ("round(1.5, 10 ** 9)", "at most 400 digits"),
    ],
)
async def test_failures_name_the_part_and_the_reason(python, source, words):
    with pytest.raises(OpcodeError, match=words) as caught:
        await python.compile(source).evaluate(SCOPE)
    if words is None:
        return
    assert caught.value.code is ErrorCode.EXECUTION_ERROR
    assert caught.value.message.startswith("python: ")
    assert caught.value.details == {"engine": "python", "expression": source}


@pytest.mark.parametrize("name", ["iter", "loop"])
async def test_a_loop_is_only_there_in_a_loop(python, name):
    with pytest.raises(OpcodeError, match=f"there is no '{name}' outside of a loop"):
        await python.compile(f"{name}.item").evaluate({"inputs": {}})


async def test_the_scope_is_left_alone(python):
    scope = {"inputs": {"xs": [3, 1]}, "data": {"a": [1]}}
    await python.compile("[sorted(inputs.xs), inputs.xs + [2], data | {'b': 1}]").evaluate(scope)
    assert scope == {"inputs": {"xs": [3, 1]}, "data": {"a": [1]}}
