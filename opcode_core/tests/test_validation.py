"""Every fault of a definition, with its path and what to do."""

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opcode_core import ErrorCode
from opcode_core.compiler import make_plan
from opcode_core.issues import InvalidDefinition
from opcode_core.tests.model_bench import WITH_CEL, faults, issues, plan, step


def condition(**config):
    return {
        "id": "c",
        "type": "condition",
        "config": {"expression": "true", "branches": {"true": [step()]}, **config},
    }


def loop(**config):
    return {"id": "l", "type": "loop", "config": {"over": [1], "body": [step()], **config}}


def nested(depth: int) -> dict:
    inner = step()
    for _ in range(depth - 1):
        inner = {"id": "p", "type": "parallel", "config": {"branches": [[inner]]}}
    return inner


@pytest.mark.parametrize(
    ("given_step", "fault"),
    [
        (step(depend_on=["b"]), "steps[0].depend_on: unknown field 'depend_on' (did you mean 'depends_on'?)"),
        (step(zzz=1), "steps[0].zzz: unknown field 'zzz' (it has: action, condition"),
        ({"id": "a.b", "action": "t.echo"}, "steps[0].id: 'a.b' is not a step id (letters, digits"),
        ({"action": "t.echo"}, "steps[0].id: 'id' is missing (give the step an id"),
        ({"id": "a"}, "steps[0].action: 'action' is missing"),
        ({"id": "a", "type": "lop"}, "steps[0].type: unknown step type 'lop' (did you mean 'loop'?)"),
        ({"id": "a", "type": "xyz"}, "(one of action, condition, loop, parallel, wait, reasoning)"),
        ({"id": "a", "type": 5}, "steps[0]: a step is an object with an id"),
        ({"id": "a", "type": "loop"}, "steps[0].config: 'config' is missing"),
        (step(timeout="-3s"), "steps[0].timeout: a duration cannot be negative"),
        (step(timeout="soon"), "steps[0].timeout: cannot read the duration 'soon'"),
        (step(retry={"max": -1}), "steps[0].retry.max: should be greater than or equal to 0, got -1"),
        (step(retry={"maximum": 1}), "steps[0].retry.maximum: unknown field 'maximum' (did you mean 'max'?)"),
        (step(retry={"backoff": "expo"}), "steps[0].retry.backoff: 'expo' is not allowed here"),
        (
            step(on_error={"strategy": "ignor"}),
            "steps[0].on_error.strategy: 'ignor' is not allowed here (did you mean 'ignore'?)",
        ),
        (
            step(on_error={"strategy": "fallback_step"}),
            "steps[0].on_error.fallback_step: 'fallback_step' is missing",
        ),
        (step(on_error={"strategy": "fallback_step", "fallback_step": "b"}), "there is no step 'b'"),
        (
            step(on_error={"strategy": "fallback_step", "fallback_step": "a"}),
            "step 'a' cannot stand in for itself",
        ),
        (
            step(on_error={"strategy": "ignore", "fallback_step": "a"}),
            "the strategy 'ignore' has no fallback",
        ),
        (step(depends_on=["a"]), "step 'a' depends on itself"),
        (step(depends_on=["b"]), "steps[0].depends_on[0]: there is no step 'b'"),
        (
            {"id": "a", "action": "t.ehco"},
            "steps[0].action: unknown action 't.ehco' (did you mean 't.echo'?)",
        ),
        ({"id": "a", "action": "mail.send"}, "(is opcode-mail installed?"),
        ({"id": "a", "action": "send"}, "(actions are named package.verb"),
        (
            {"id": "a", "action": "t.typed", "params": {"text": 5}},
            "steps[0].params.text: should be string, got 5",
        ),
        ({"id": "a", "action": "t.typed", "params": {}}, "steps[0].params: 'text' is missing"),
        (
            {"id": "a", "action": "t.typed", "params": {"text": "x", "cuont": 1}},
            "unknown param 'cuont' (did you mean 'count'?)",
        ),
        (
            {"id": "a", "action": "t.typed", "params": {"text": "${{inputs.x}}", "count": "one"}},
            "steps[0].params.count: should be integer, got 'one'",
        ),
        (condition(branches={}), "a condition without branches decides nothing"),
        (
            condition(default=[step()], branches={"default": [step()]}),
            "there is a branch 'default' and a default",
        ),
        (condition(expression="1 +"), "steps[0].config.expression: "),
        (
            condition(branches={"true": [step(), step()]}),
            "steps[0].config.branches.true[1].id: the id 'a' is already that of",
        ),
        (
            condition(branches={"true": [step(depends_on=["b"]), step("b")]}),
            "step 'b' comes later in this list",
        ),
        (condition(branches={"true": [step(depends_on=["c"])]}), "there is no step 'c' in this list"),
        (loop(over=None), "steps[0].config.over: 'over' is missing"),
        (loop(over=5), "'over' must give a list, got 5"),
        (
            loop(over="jq: .x"),
            "needs the expression engine 'jq', which is not installed (pip install opcode-jq)",
        ),
        (loop(over=".items[]"), "needs the expression engine 'jq'"),
        (loop(condition="true"), "for_each has no condition"),
        (loop(mode="while"), "steps[0].config.condition: 'condition' is missing (mode while needs one)"),
        (loop(mode="until", condition="true"), "mode until goes through no list"),
        (
            loop(mode="while", condition="true", over=None, concurrency=2),
            "mode while runs one iteration at a time",
        ),
        (loop(body=[]), "steps[0].config.body: "),
        ({"id": "w", "type": "wait", "config": {}}, "a wait needs either a duration or a signal"),
        ({"id": "w", "type": "wait", "config": {"duration": 1, "signal": "s"}}, "a wait needs either"),
        (
            {"id": "w", "type": "wait", "config": {"duration": 1, "timeout": 1}},
            "only a wait for a signal has a timeout",
        ),
        (
            {"id": "r", "type": "reasoning", "config": {"options": [{"id": "x"}, {"id": "x"}]}},
            "two options have the same id",
        ),
        (
            {"id": "r", "type": "reasoning", "config": {"options": [{"id": "yes"}], "fallback": "yse"}},
            "'yse' is not one of the options (did you mean 'yes'?)",
        ),
        (
            {"id": "r", "type": "reasoning", "config": {"response_schema": {"type": "thing"}}},
            "not a JSON Schema",
        ),
        (
            {"id": "r", "type": "reasoning", "config": {"options": [{"idd": "x"}]}},
            "unknown field 'idd' (did you mean 'id'?)",
        ),
        (step(value="${{secrets}}"), "'secrets' is not a secret"),
        (step(condition="steps.x ="), "steps[0].condition: "),
    ],
)
def test_a_fault_in_a_step(given_step: dict, fault: str):
    assert any(fault in found for found in faults(given_step)), faults(given_step)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"step": []}, "step: unknown field 'step' (did you mean 'steps'?)"),
        ({"on_timeout": "stop"}, "on_timeout: 'stop' is not allowed here"),
        ({"timeout": "1 week"}, "timeout: cannot read the duration"),
        ({"on_complete": step("a")}, "on_complete.id: the id 'a' is already that of a step"),
        (
            {"on_error": step("e", depends_on=["a"])},
            "on_error.depends_on: a hook runs when everything else has ended",
        ),
        (
            {"on_error": {"id": "e", "actoin": "x"}},
            "on_error.actoin: unknown field 'actoin' (did you mean 'action'?)",
        ),
        ({"output": {"x": "${{steps.b.output}}"}}, "output: 'steps.b.output': there is no step 'b'"),
        ({"output": {"x": "${{secrets.K}}"}}, "output: 'secrets.K' may not stand here"),
        ({"inputs": {"x": "${{steps.a}}"}}, "inputs.x: 'steps.a': there is no step 'a'"),
        ({"inputs": {"x": "${{"}}, "inputs.x: '${{' is never closed"),
    ],
)
def test_a_fault_in_the_whole(fields: dict, fault: str):
    assert any(fault in found for found in faults(step(), **fields)), faults(step(), **fields)


def test_all_faults_are_listed_at_once():
    found = faults(
        step(value=1, params={"valeu": 1}), step("a"), {"id": "b", "action": "no.such", "depends_on": ["zz"]}
    )
    assert len(found) == 4


def test_a_cycle_is_named_in_order():
    (found,) = issues(
        {"steps": [step("a", depends_on=["c"]), step("b", depends_on=["a"]), step("c", depends_on=["b"])]}
    )
    assert found.code is ErrorCode.CYCLE_DETECTED
    assert (
        "a → b → c → a" in found.message
        or "b → c → a → b" in found.message
        or "c → a → b → c" in found.message
    )


def test_a_cycle_through_a_fallback_is_found():
    fallback = {"strategy": "fallback_step", "fallback_step": "f"}
    assert (
        "wait for each other"
        in faults(step("a", on_error=fallback), step("x", depends_on=["a"]), step("f", depends_on=["x"]))[0]
    )


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("", "not JSON"),
        ("{", "not JSON: line 1, column"),
        (b"\xff\xfe", "not UTF-8"),
        ("[1]", "a workflow is a JSON object, got [1]"),
        (
            '{"steps": [{"id": "a", "action": "t.echo", "params": {"value": NaN}}]}',
            "NaN is not a JSON number",
        ),
        ("[" * 100_000, "nested too deeply"),
        ('{"x-pad": "' + "x" * 10_000_000 + '", "steps": []}', "the definition has 10,000,"),
        ({"steps": [step(value=math.inf)]}, "steps[0].params.value: inf is not a JSON number"),
        ({"steps": [step(value="a\0b")]}, "steps[0].params.value: holds a NUL character"),
        ({"steps": [step(value={1: 2})]}, "the key 1 is not a text"),
        ({"steps": [step(value={1, 2})]}, "has no place in JSON"),
        ({"steps": []}, "steps: "),
        ({}, "steps: 'steps' is missing"),
        ({"steps": [step(f"s{i}") for i in range(20_001)]}, "20,001 steps; at most 20,000"),
        ({"steps": [5]}, "steps[0]: a step is an object with an id, got 5"),
        ({"steps": "many"}, "steps: "),
    ],
)
def test_a_fault_in_the_source(source, fault: str):
    found = [str(issue) for issue in issues(source)]
    assert any(fault in text for text in found), found


def test_deep_json_is_refused_wherever_it_comes_from():
    deep: list = []
    for _ in range(300):
        deep = [deep]
    assert "nested deeper than 200 levels" in str(issues({"steps": [step(value=deep)]})[0])


def test_blocks_may_be_nested_32_deep_and_no_deeper():
    assert plan(nested(32))
    assert "steps are nested 33 levels deep; at most 32" in faults(nested(33))[0]


def test_keys_with_x_pass_and_user_data_keeps_them():
    made = plan(
        {**step(value={"x-kept": 1}), "x-note": "for people"}, **{"x-owner": {"team": 1}}, metadata={"x-a": 1}
    )
    assert made.steps[0].params.render(None) == {"value": {"x-kept": 1}}  # type: ignore[arg-type]
    assert made.definition.metadata == {"x-a": 1}
    assert json.loads(made.source)["x-owner"] == {"team": 1}


def test_reading_without_waiting_is_a_warning():
    made = plan(
        step("a"),
        step("b", value="${{steps.a.output}}"),
        step("c", value="${{steps['b'].output}}", depends_on=["b"]),
    )
    assert [str(w) for w in made.warnings] == [
        "steps[1]: step 'b' reads step 'a' but does not wait for it (add \"a\" to its depends_on)"
    ]


def test_reading_what_one_waits_for_indirectly_is_no_warning():
    assert not plan(
        step("a"), step("b", depends_on=["a"]), step("c", value="${{steps.a.output}}", depends_on=["b"])
    ).warnings


def test_without_cel_plain_paths_work_and_the_rest_says_what_to_install():
    assert plan(
        step("a"), step("b", value="${{steps.a.output}}", depends_on=["a"]), loop(over="inputs.x"), cel=False
    )
    for bad in (step(condition="inputs.x == 1"), step(value="${{ 1 + 1 }}")):
        assert "pip install opcode-cel" in faults(bad, cel=False)[0]


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["a", "loop", "steps", "${{steps.a}}", "1s"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "type",
                    "action",
                    "params",
                    "config",
                    "steps",
                    "depends_on",
                    "branches",
                    "body",
                    "over",
                    "condition",
                    "retry",
                    "x-a",
                    "expression",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANY, ANY, st.sampled_from(["action", "condition", "loop", "parallel", "wait", "reasoning"]))
def test_whatever_comes_in_only_one_kind_of_error_comes_out(first, second, kind):
    for source in (
        first,
        {"steps": [first, second]},
        {"steps": [{"id": "a", "type": kind, "config": first, "action": "t.echo"}], "on_error": second},
    ):
        try:
            make_plan(source, WITH_CEL)
        except InvalidDefinition as refused:
            assert refused.issues
            assert all(issue.message for issue in refused.issues)
