"""What an expression sees, and that it touches nothing else."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from opcode_core import OpcodeError, StepView
from opcode_expr.program import compile_program


class Lazy(Mapping):
    """A mapping that is no dict and remembers what was asked of it."""

    def __init__(self, **values: Any) -> None:
        self.values_ = values
        self.touched: list[str] = []

    def __getitem__(self, key: str) -> Any:
        self.touched.append(key)
        value = self.values_[key]
        if value is Ellipsis:
            raise AssertionError(f"{key} must not be touched")
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


def value(source: str, **scope: Any) -> Any:
    return compile_program(source).evaluate(scope)


def failure(source: str, **scope: Any) -> str:
    with pytest.raises(OpcodeError) as caught:
        value(source, **scope)
    return caught.value.message


@pytest.mark.parametrize("output", [{"k": 1}, [1, 2], "text", 3, 2.5, True, None, {}])
def test_a_step_is_its_output_and_more(output):
    steps = {"x": StepView(output, "failed", {"code": "EXECUTION_ERROR"})}
    for step in ("steps.x", "steps['x']", "let s = steps.x; s", "$env.steps.x"):
        assert value(step, steps=steps) == output
    for step in ("steps.x", "steps['x']", "steps?.x"):
        assert value(f"{step}.output", steps=steps) == output
        assert value(f"{step}['output']", steps=steps) == output
        assert value(f"{step}.status", steps=steps) == "failed"
        assert value(f"{step}.error.code", steps=steps) == "EXECUTION_ERROR"
    assert value("let s = steps.x; s.status", steps=steps) == "failed"


def test_keys_of_the_output_come_before_those_of_the_step():
    steps = {"x": StepView({"status": 1, "output": 2, "error": 3}, "completed", None)}
    assert [value(f"steps.x.{key}", steps=steps) for key in ("status", "output", "error")] == [1, 2, 3]


def test_the_extra_keys_are_not_part_of_the_output():
    steps = {"x": StepView({"a": 1}, "completed", None)}
    assert value("len(steps.x)", steps=steps) == 1
    assert value("'status' in steps.x", steps=steps) is False
    assert value("keys(steps.x)", steps=steps) == ["a"]
    assert value("steps.x == {a: 1}", steps=steps) is True
    assert value("type(steps.x)", steps=steps) == "map"


@pytest.mark.parametrize("wrap", [dict, lambda steps: Lazy(**steps)], ids=["dict", "lazy"])
def test_the_map_of_all_steps_gives_their_outputs(wrap):
    steps = wrap({"a": StepView({"x": 1}, "completed", None), "b": StepView([1], "failed", None)})
    assert value("steps", steps=steps) == {"a": {"x": 1}, "b": [1]}
    assert value("[steps]", steps=steps) == [{"a": {"x": 1}, "b": [1]}]
    assert value("keys(steps)", steps=steps) == ["a", "b"]
    assert value("values(steps)", steps=steps) == [{"x": 1}, [1]]
    assert value("toPairs(steps)[1]", steps=steps) == ["b", [1]]
    assert value("steps == {a: {x: 1}, b: [1]}", steps=steps) is True
    assert value("keys(steps) | filter(steps[#].status == 'failed')", steps=steps) == ["b"]
    assert value("'a' in steps and 'z' not in steps", steps=steps) is True
    assert value("toJSON(steps) contains 'x'", steps=steps) is True
    assert value("len(steps)", steps=steps) == 2


@pytest.mark.parametrize("source", ["steps.gone", "steps.gone.x", "steps['gone'].status == 'completed'"])
def test_a_step_that_did_not_run_is_an_error(source):
    steps = Lazy(a=StepView(1, "completed", None))
    assert failure(source, steps=steps) == "steps has no 'gone'; it has: a"
    assert "gone" in steps.touched, "a guard that asked has to be told apart from one that failed"


def test_a_step_that_did_not_run_can_be_asked_for():
    steps = {"fetch": StepView({"n": 1}, "completed", None), "review-gate": StepView({}, "completed", None)}
    assert value("steps.gone ?? 1", steps=steps) == 1
    assert value("steps.gone.x ?? 1", steps=steps) == 1
    assert value("steps.gone?.x", steps=steps) is None
    assert value("steps.gone == nil", steps=steps) is True
    assert value("get(steps, 'gone')", steps=steps) is None
    assert failure("steps.ftch.n", steps=steps) == "steps has no 'ftch', did you mean 'fetch'?"
    assert "in brackets: steps['review-gate']" in failure("steps.review-gate.x", steps=steps)


def test_only_a_name_or_a_path_may_be_missing():
    assert "there is no 'unknown' here" in failure("(1 + unknown) ?? 2", data={})
    assert "there is no 'unknown' here" in failure("filter([1], unknown) ?? 2", data={})


def test_only_what_an_expression_names_is_looked_up():
    steps = Lazy(a=StepView({"ok": True, "n": 2}, "completed", None), b=...)
    scope = Lazy(steps=steps, inputs=..., workflow=..., context=..., data=...)
    assert compile_program("steps.a.ok && steps.a.n > 1").evaluate(scope) is True
    assert set(steps.touched) == {"a"}
    assert set(scope.touched) == {"steps"}
    assert compile_program("steps.a.ok || inputs.x || items").evaluate(scope) is True
    assert compile_program("steps.a.ok ? 1 : inputs.x").evaluate(scope) == 1


def test_what_was_in_the_scope_is_given_as_it_is():
    body = {"items": [{"a": 1.0}] * 1000}
    steps = {"fetch": StepView({"body": body}, "completed", None)}
    assert value("steps.fetch.body", steps=steps) is body
    assert value("[steps.fetch.body]", steps=steps)[0] is body
    assert value("steps.fetch.body ?? {}", steps=steps) is body
    assert value("steps.fetch.body.items | filter(.a > 0)", steps=steps)[0] is body["items"][0]


def test_evaluation_leaves_the_scope_alone():
    data = {"xs": [3, 1, 2], "m": {"a": [1]}}
    sources = ("sort(xs)", "reverse(xs)", "concat(xs, xs)", "let xs = 1; xs", "take(xs, 1)", "xs[:] | map(#)")
    for source in sources:
        value(source, data=data)
    assert data == {"xs": [3, 1, 2], "m": {"a": [1]}}


def test_the_keys_of_data_are_names():
    data = {"items": [{"score": 0.9, "id": 1}, {"score": 0.1, "id": 2}], "inputs": "not these"}
    scope = {"data": data, "inputs": {"least": 0.8}, "workflow": {"name": "w"}, "context": {"k": 1}}
    assert value("filter(items, {.score >= 0.8}) | map(.id)", **scope) == [1]
    assert value("data.items | filter(.score >= inputs.least) | len()", **scope) == 1
    assert value("data.inputs + workflow.name", **scope) == "not thesew"
    assert value("context.k", **scope) == 1
    assert value("'items' in $env and 'inputs' in $env", **scope) is True
    assert value("sort(keys($env))", **scope) == ["context", "data", "inputs", "items", "workflow"]


@pytest.mark.parametrize("data", [None, [1, 2], "text", 5, True])
def test_data_of_any_type(data):
    assert value("data", data=data) == data
    assert value("items ?? 'none'", data=data) == "none"
    assert "there is no 'items' here; it has: data" in failure("items", data=data)


def test_the_item_of_a_loop():
    loop = {"item": {"n": 2}, "index": 1}
    assert value("iter.item.n + loop.index", iter=loop, loop=loop) == 3
    assert "there is no 'loop' outside of a loop" in failure("loop.index", inputs={})


def test_whole_floats_are_written_without_a_point():
    result = value("[10 / 4, 10 / 5, {a: ceil(1.5)}, 2.0 ** 60]", data=None)
    assert [type(one) for one in (result[0], result[1], result[2]["a"], result[3])] == [
        float,
        int,
        int,
        float,
    ]
    assert value("data", data=5.0) == 5


def test_keys_that_are_no_text_become_text():
    assert value("groupBy([1, 1.5, true, nil, 'a'], #)", data=None) == {
        "1": [1],
        "1.5": [1.5],
        "true": [True],
        "nil": [None],
        "a": ["a"],
    }
