"""What an expression sees, and that it touches nothing else."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from opcode_cel.program import compile_program
from opcode_core import OpcodeError, StepView


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


def both(source: str, scope: Mapping[str, Any]) -> Any:
    """By the direct path, where there is one, and by the interpreter."""
    program = compile_program(source)
    result = program.evaluate(scope)
    assert program.interpret(scope) == result
    return result


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("steps.a.ok", True),
        ("steps.a.ok == true && steps.a.n > 1", True),
        ("size(steps.a.items) == 2", True),
        ("steps.a.items.exists(x, x == 2)", True),
        ("steps.a", {"ok": True, "n": 2, "items": [1, 2]}),
        ("steps.a == {'ok': true, 'n': 2, 'items': [1, 2]}", True),
        ("has(steps.a.ok)", True),
        ("steps.gone.x == 1 || steps.a.ok", True),
    ],
)
def test_only_what_an_expression_names_is_looked_up(source, value):
    steps = Lazy(a=StepView({"ok": True, "n": 2, "items": [1, 2]}, "completed", None), b=...)
    scope = Lazy(steps=steps, inputs=..., workflow=..., context=...)
    assert both(source, scope) == value
    assert set(steps.touched) <= {"a", "gone"}
    assert set(scope.touched) == {"steps"}


def test_a_decided_guard_looks_no_further():
    scope = Lazy(inputs={"no": False}, steps=...)
    assert both("inputs.no && steps.a.ok", scope) is False
    assert both("inputs.no ? steps.a.ok : 1", scope) == 1


def test_what_was_in_the_scope_is_given_as_it_is():
    body = {"items": [{"a": 1}] * 1000}
    scope = {"steps": {"fetch": StepView({"body": body}, "completed", None)}}
    assert both("steps.fetch.body", scope) is body
    assert both("steps.fetch.body.items", scope) is body["items"]
    assert compile_program("[steps.fetch.body]").evaluate(scope)[0] is body
    assert compile_program("default(steps.fetch.body, {})").evaluate(scope) is body


def test_a_lazy_mapping_comes_out_as_plain_json():
    inner = Lazy(x=1)
    result = both("inputs", {"inputs": Lazy(a=inner)})
    assert result == {"a": {"x": 1}}
    assert type(result) is dict
    assert type(result["a"]) is dict


@pytest.mark.parametrize("wrap", [dict, lambda steps: Lazy(**steps)], ids=["dict", "lazy"])
def test_the_map_of_all_steps_gives_their_outputs(wrap):
    steps = {"a": StepView({"x": 1}, "completed", None), "b": StepView([1], "completed", None)}
    scope = {"steps": wrap(steps)}
    assert both("steps", scope) == {"a": {"x": 1}, "b": [1]}
    assert both("steps == {'a': {'x': 1}, 'b': [1]}", scope) is True
    assert both("[steps]", scope) == [{"a": {"x": 1}, "b": [1]}]
    assert both("size(steps)", scope) == 2
    assert both("steps.map(id, id)", scope) == ["a", "b"]
    assert both("steps.filter(id, steps[id].status == 'completed').size()", scope) == 2


@pytest.mark.parametrize("output", [{"k": 1}, [1, 2], "text", 3, 2.5, True, None, {}])
def test_output_status_and_error_are_there_whatever_the_output_is(output):
    scope = {"steps": {"x": StepView(output, "failed", {"code": "EXECUTION_ERROR"})}}
    for step in ("steps.x", "steps['x']"):
        assert both(step, scope) == output
        assert both(f"{step}.output", scope) == output
        assert both(f"{step}['output']", scope) == output
        assert both(f"{step}.status", scope) == "failed"
        assert both(f"{step}.error.code", scope) == "EXECUTION_ERROR"
        assert both(f"has({step}.error) && {step}.status != 'completed'", scope) is True


def test_keys_of_the_output_come_before_those_of_the_step():
    scope = {"steps": {"x": StepView({"status": 1, "output": 2, "error": 3}, "completed", None)}}
    assert [both(f"steps.x.{key}", scope) for key in ("status", "output", "error")] == [1, 2, 3]


def test_the_extra_keys_are_not_part_of_the_output():
    scope = {"steps": {"x": StepView({"a": 1}, "completed", None)}}
    assert both("size(steps.x)", scope) == 1
    assert both("'status' in steps.x", scope) is False
    assert both("steps.x.map(k, k)", scope) == ["a"]
    assert both("steps.x == {'a': 1}", scope) is True


@pytest.mark.parametrize("source", ["steps.gone.x", "steps['gone'].status == 'completed'", "steps.gone > 1"])
def test_a_step_that_did_not_run_is_asked_for_through_the_mapping(source):
    steps = Lazy(a=StepView(1, "completed", None))
    with pytest.raises(OpcodeError, match="steps has no 'gone'; it has: a"):
        compile_program(source).evaluate({"steps": steps})
    assert "gone" in steps.touched, "the guard that asked has to be told apart from one that failed"


def test_data_of_any_type_for_expr_eval():
    for data in (5, "x", [1], {"a": 1}, None, True, 1.5):
        assert both("data", {"data": data}) == data
    assert both("data.a + 1", {"data": {"a": 1}}) == 2


def test_iter_is_absent_outside_loops():
    with pytest.raises(OpcodeError, match="there is no 'iter' here; it has: inputs"):
        compile_program("iter.index == 0").evaluate({"inputs": {}})
