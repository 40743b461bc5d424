"""What the `config` of a step comes to: lists to go through, guards, what is asked and injected."""

from typing import Any

import pytest

from opcode_core import ErrorCode, OpcodeError, action
from opcode_core.compiler import make_plan
from opcode_core.contracts.expression import Program
from opcode_core.issues import InvalidDefinition
from opcode_core.plan import ConditionPlan, LoopPlan, ParallelPlan, ReasoningPlan, WaitPlan
from opcode_core.plugins.registry import Registry
from opcode_core.scope import Scope
from opcode_core.state import RunState, StepState
from opcode_core.stop import Stop
from opcode_core.tests.model_bench import faults, plan, registry, step


class Echoing:
    """Stands where the engine jq would, and gives back what it was asked to run."""

    name = "jq"

    def compile(self, source: str) -> Program:
        if source == "wrong":
            raise OpcodeError(ErrorCode.VALIDATION_ERROR, "not jq", details={"hint": "mend it"})

        class Echo:
            def evaluate(self, scope: Any) -> Any:
                return ["jq", source]

        return Echo()


@pytest.fixture(scope="module")
def with_jq() -> Registry:
    made = registry()
    made.add_engines([Echoing()], "jq")
    return made


def scope(**inputs: Any) -> Scope:
    steps = {"a": StepState("completed", {"list": [7, 8], "x": None})}
    return Scope(RunState("run-1", inputs=inputs, context={"who": "me"}, steps=steps), Stop())


def loop(over: Any, **config: Any) -> dict[str, Any]:
    return {"id": "l", "type": "loop", "config": {"over": over, "body": [step("b")], **config}}


def listed(over: Any, catalogue: Registry, **inputs: Any) -> Any:
    flow = make_plan({"steps": [step("a"), loop(over)]}, catalogue).steps[1].flow
    assert isinstance(flow, LoopPlan)
    assert flow.over is not None
    return flow.over(scope(**inputs))


@pytest.mark.parametrize(
    ("over", "items"),
    [
        ([1, "a", None], [1, "a", None]),
        ([1, "${{inputs.n}}", {"k": "n=${{inputs.n}}"}], [1, 5, {"k": "n=5"}]),
        ("[1, 2]", [1, 2]),
        (' ["a|b", "c"] ', ["a|b", "c"]),
        ("[]", []),
        ("[inputs.n, inputs.n + 1]", [5, 6]),
        ("inputs.items", [3, 4]),
        ("steps.a.list", [7, 8]),
        ("steps['a'].output.list", [7, 8]),
        ("inputs.items.map(x, x * 2)", [6, 8]),
        ("${{ steps.a.output.list }}", [7, 8]),
        ("${{ inputs.items }}", [3, 4]),
        (".steps.a.list", ["jq", ".steps.a.list"]),
        ("jq: .a | .b", ["jq", ".a | .b"]),
        ("[.a[] | .b]", ["jq", "[.a[] | .b]"]),
    ],
)
def test_what_a_loop_goes_through(over: Any, items: list[Any], with_jq: Registry):
    assert listed(over, with_jq, n=5, items=[3, 4]) == items


@pytest.mark.parametrize(("over", "items"), [("inputs.items", [3]), ("[1]", [1]), ("${{inputs.items}}", [3])])
def test_without_cel_a_loop_still_goes_through_paths_and_literals(over: str, items: list[int]):
    assert listed(over, registry(cel=False), items=[3]) == items


@pytest.mark.parametrize(
    ("over", "fault"),
    [
        ("jq: wrong", "steps[0].config.over: not jq (mend it)"),
        ("inputs.", "steps[0].config.over: "),
        ("${{ inputs.x", "steps[0].config.over: '${{' is never closed"),
        ("${{ steps.zz }}", "steps[0].config.over: 'steps.zz': there is no step 'zz'"),
        ({"a": 1}, "steps[0].config.over: 'over' must give a list, got {'a': 1}"),
        ("[" * 300 + "]" * 300, "nested deeper than 200 levels"),
        ("[" * 900 + "]" * 900, "nested deeper than 200 levels"),
        ('["\\u0000"]', "holds a NUL character"),
        ("${{ secrets.LIST }}", "secrets can only be used in an action's params"),
    ],
)
def test_what_a_loop_cannot_go_through(over: Any, fault: str, with_jq: Registry):
    with pytest.raises(InvalidDefinition) as refused:
        make_plan({"steps": [loop(over)]}, with_jq)
    assert any(fault in str(issue) for issue in refused.value.issues), refused.value.issues


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"over": [1]}, ("for_each", None, 1)),
        ({"over": [1], "max_iter": 3, "concurrency": 4}, ("for_each", 3, 4)),
        ({"mode": "while", "condition": "true", "over": None}, ("while", 1000, 1)),
        ({"mode": "until", "condition": "true", "over": None, "max_iter": 5}, ("until", 5, 1)),
    ],
)
def test_the_bounds_of_a_loop(config: dict[str, Any], expected: tuple[Any, ...]):
    flow = plan({"id": "l", "type": "loop", "config": {"body": [step("b")], **config}}).steps[0].flow
    assert isinstance(flow, LoopPlan)
    assert (flow.mode, flow.max_iter, flow.concurrency) == expected
    assert flow.body.name == "iter_"


def test_iterations_are_kept_when_something_refers_to_one():
    reading = step("r", "${{steps.l.iter_0.b.output}}", depends_on=["l"])
    for steps, fold in (((loop([1]),), True), ((loop([1]), reading), False)):
        flow = plan(*steps).steps[0].flow
        assert isinstance(flow, LoopPlan)
        assert flow.fold is fold


@pytest.mark.parametrize("guard", ["inputs.n == 5", "${{ inputs.n == 5 }}", " ${{inputs.n == 5}} "])
def test_a_guard_may_stand_in_a_template(guard: str):
    program = plan(step(condition=guard)).steps[0].guard
    assert program is not None
    assert program.evaluate(scope(n=5).names) is True


def test_the_blocks_of_a_condition_and_of_a_parallel():
    inner = [step("x"), step("y", on_error={"strategy": "fallback_step", "fallback_step": "z"}), step("z")]
    config = {"expression": "inputs.n", "branches": {"1.5": inner, "x-ray": [step("w")]}, "default": []}
    condition = plan({"id": "c", "type": "condition", "config": config}).steps[0].flow
    assert isinstance(condition, ConditionPlan)
    assert set(condition.branches) == {"1.5", "x-ray"}
    assert condition.branches["1.5"].ids == ("x", "y", "z")
    assert condition.branches["1.5"].fallbacks == {"z"}
    assert condition.default is not None
    assert (condition.default.name, condition.default.ids) == ("default", ())

    config = {"mode": "race", "branches": [[step("x")], [step("x")]], "max_concurrency": 1}
    parallel = plan({"id": "p", "type": "parallel", "config": config}).steps[0].flow
    assert isinstance(parallel, ParallelPlan)
    assert [block.name for block in parallel.branches] == ["branch_0", "branch_1"]
    assert (parallel.mode, parallel.max_concurrency) == ("race", 1)


def test_a_wait_for_time_and_a_wait_for_a_signal():
    made = plan(
        {"id": "t", "type": "wait", "config": {"duration": "1h30m"}},
        {"id": "s", "type": "wait", "config": {"signal": "go", "timeout": 5}},
    )
    assert [one.flow for one in made.steps] == [WaitPlan(5400.0, None, None), WaitPlan(None, "go", 5.0)]


def asked(**config: Any) -> ReasoningPlan:
    flow = plan(step("a"), {"id": "r", "type": "reasoning", "config": config}).steps[1].flow
    assert isinstance(flow, ReasoningPlan)
    return flow


def test_what_is_asked():
    options = [{"id": "yes", "description": "go on"}, {"id": "no"}]
    flow = asked(
        prompt_context="Is ${{inputs.n}} right?",
        options=options,
        timeout="1h",
        fallback="no",
        target_agent="boss",
        response_schema={"type": "object"},
    )
    assert flow.prompt.render(scope(n=5)) == "Is 5 right?"
    assert flow.options == ({"id": "yes", "description": "go on"}, {"id": "no", "description": ""})
    assert (flow.timeout, flow.fallback, flow.target_agent) == (3600.0, "no", "boss")
    assert flow.response_schema == {"type": "object"}


def test_a_free_form_question_needs_no_config_and_may_have_any_fallback():
    bare = plan({"id": "r", "type": "reasoning"}).steps[0].flow
    assert isinstance(bare, ReasoningPlan)
    assert (bare.options, bare.fallback) == ((), None)
    assert asked(fallback="whatever").fallback == "whatever"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("inputs.n", 5),
        (" inputs.n ", 5),
        ("${{ inputs.n }}", 5),
        ("n is ${{ inputs.n }}", "n is 5"),
        ("steps.a.output.list[1]", 8),
        ("steps.a.list", [7, 8]),
        ("context.who", "me"),
        ("size(steps.a.list) + 1", 3),
        ("inputs.nope", None),
        ("${{ inputs.nope.deeper }}", None),
        ("steps.a.list[9]", None),
        ("steps.a.x.y", None),
        ("inputs.nope + 1", None),
    ],
)
def test_injected_data_is_null_where_a_path_leads_nowhere(path: str, value: Any):
    assert asked(data_inject={"d": path}).data["d"](scope(n=5)) == value


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({"prompt_context": "${{ x"}, "steps[0].config.prompt_context: '${{' is never closed"),
        (
            {"prompt_context": "${{secrets.K}}"},
            "steps[0].config.prompt_context: 'secrets.K' may not stand here",
        ),
        (
            {"data_inject": {"d": "secrets.K"}},
            "steps[0].config.data_inject.d: 'secrets.K' may not stand here",
        ),
        (
            {"data_inject": {"d": "steps.zz"}},
            "steps[0].config.data_inject.d: 'steps.zz': there is no step 'zz'",
        ),
        ({"data_inject": {"d": ""}}, "steps[0].config.data_inject.d: an empty '${{ }}'"),
        ({"data_inject": {"d": 5}}, "steps[0].config.data_inject.d: should be a valid string, got 5"),
        ({"options": [{"id": "a"}], "fallback": "zzz"}, "'zzz' is not one of the options (one of a)"),
        ({"response_schema": {"required": 5}}, "not a JSON Schema: required: 5 is not of type 'array'"),
        ({"response_schema": {"type": "object", "properties": 5}}, "not a JSON Schema: properties: 5 is not"),
        ({"response_schema": {"type": "object", "properties": {"a": {"anyOf": 5}}}}, "properties.a.anyOf: 5"),
        ({"response_schema": {"pattern": "("}}, "not a JSON Schema: pattern: '(' is not a 'regex'"),
    ],
)
def test_what_cannot_be_asked(config: dict[str, Any], fault: str):
    found = faults({"id": "r", "type": "reasoning", "config": config})
    assert any(fault in text for text in found), found


def test_a_template_under_a_key_with_dots_is_left_to_the_call():
    @action("t.counted", effect="pure")
    def counted(counts: dict[str, int]) -> None: ...

    catalogue = registry()
    catalogue.add_actions([counted], "test")
    params = {"counts": {"a.b": "${{inputs.n}}", "c": 1}}
    made = make_plan({"steps": [{"id": "s", "action": "t.counted", "params": params}]}, catalogue).steps[0]
    assert made.check is not None
    assert made.check.accepts({"counts": {"a.b": 1}})
    assert not made.check.accepts({"counts": {"a.b": "x"}})
