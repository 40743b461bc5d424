"""A definition is bounded in size, depth and number, whatever it is made of and wherever it hides it."""

import copy
import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opcode_core import ErrorCode
from opcode_core.compiler import make_plan
from opcode_core.definition import definition_schema
from opcode_core.issues import InvalidDefinition, Issue
from opcode_core.tests.model_bench import WITH_CEL, WITHOUT_CEL, faults, issues, plan, step
from opcode_core.validation import MAX_BYTES, MAX_STEPS


def within(kind: str, inner: dict[str, Any], step_id: str = "p") -> dict[str, Any]:
    """`inner` as the only step of a block."""
    config: dict[str, Any] = {
        "parallel": {"branches": [[inner]]},
        "condition": {"expression": "true", "branches": {"true": [inner]}},
        "default": {"expression": "true", "default": [inner]},
        "loop": {"over": [1], "body": [inner]},
    }[kind]
    return {"id": step_id, "type": "condition" if kind == "default" else kind, "config": config}


def nested(kind: str, depth: int) -> dict[str, Any]:
    made = step("innermost")
    for level in range(depth - 1):
        made = within(kind, made, f"p{level}")
    return made


@pytest.mark.parametrize("kind", ["parallel", "condition", "default", "loop"])
@pytest.mark.parametrize("where", ["steps", "on_complete", "on_error"])
def test_blocks_of_every_kind_and_in_hooks_are_nested_32_deep_and_no_deeper(kind: str, where: str):
    def definition(depth: int) -> dict[str, Any]:
        made = nested(kind, depth)
        return {"steps": [made]} if where == "steps" else {"steps": [step()], where: made}

    assert make_plan(definition(32), WITH_CEL)
    (found,) = issues(definition(33))
    assert found.path.startswith(where)
    assert found.message == "steps are nested 33 levels deep; at most 32 are allowed"
    assert "workflow.run" in found.hint


@pytest.mark.parametrize("depth", [40, 49])
def test_a_hook_too_deep_is_refused_and_never_recursed_into(depth: int):
    assert "nested" in faults(step(), on_error=nested("loop", depth))[0]


def test_ten_megabytes_are_refused_at_once_in_every_form():
    definition = {"steps": [step(value="x" * 10_000_000)]}
    source = json.dumps(definition)
    for form in (source, source.encode(), definition):
        began = time.perf_counter()
        (found,) = issues(form)
        assert time.perf_counter() - began < 1
        assert f"at most {MAX_BYTES:,} are allowed" in found.message
        assert found.hint == "keep data out of it and pass it as inputs"


def test_the_size_counts_bytes_and_not_letters():
    source = json.dumps({"steps": [step(value="ü" * (MAX_BYTES // 2))]}, ensure_ascii=False)
    assert len(source) < MAX_BYTES
    assert "bytes; at most" in str(issues(source)[0])


def test_steps_are_counted_in_blocks_too():
    inner = [step(f"s{i}") for i in range(MAX_STEPS // 2)]
    found = issues({"steps": [{"id": "p", "type": "parallel", "config": {"branches": [inner, inner]}}]})
    assert str(found[0]) == "steps: 20,001 steps; at most 20,000 are allowed (use a loop)"


def test_a_long_chain_whose_steps_all_read_the_first_is_compiled_in_no_time():
    chain = [step("s0")]
    chain += [step(f"s{i}", "${{steps.s0.output}}", depends_on=[f"s{i - 1}"]) for i in range(1, 4000)]
    began = time.perf_counter()
    assert not plan(*chain).warnings
    assert time.perf_counter() - began < 5


def test_thousands_of_faults_are_told_by_the_first_hundred_and_in_time():
    wrong = [step(f"step-{i}", depends_on=[f"stp-{i}x"]) for i in range(3000)]
    began = time.perf_counter()
    found = issues({"steps": wrong})
    assert time.perf_counter() - began < 10
    assert len(found) == 101
    assert found[0].hint == "did you mean 'step-0'?"
    assert found[-1].message == "there may be more; these are the first"


@pytest.mark.parametrize(
    "value",
    [
        {"\ud800": 1},
        "\udfff",
        ["a\ud83d", {"k": "\ude00"}],
        "${{ inputs['\ud800'] }} \ud800",
        "}} {{ ${ { $ {{ }}",
        "x" * 100_000,
        {"": {"": ""}},
        2**63,
        -(2**63),
        1e308,
        -0.0,
    ],
)
def test_odd_values_are_kept_as_they_are(value: Any):
    made = plan(step("a"), step("b", value))
    assert made.definition.steps[1].params == {"value": value}
    assert make_plan(made.source, WITH_CEL).hash == made.hash


@pytest.mark.parametrize(
    ("given_step", "fault"),
    [
        ({"id": "a", "action": "t.\ud800"}, "steps[0].action: "),
        (step("a\0"), "steps[0].id: holds a NUL character; remove it"),
        ({**step(), "a\0b": 1}, "steps[0]: the key 'a\\x00b' is not a text without NULs"),
        (step("a\n"), "steps[0].id: 'a\\n' is not a step id"),
        (step("ä"), "steps[0].id: 'ä' is not a step id"),
        (step(""), "steps[0].id: '' is not a step id"),
        (step("a" * 201), "steps[0].id: String should have at most 200 characters"),
        (step(value=2**64), "steps[0].params.value: 18446744073709551616 has more than 64 bits"),
        (step(value=float("nan")), "steps[0].params.value: nan is not a JSON number"),
        (step(value=b"raw"), "steps[0].params.value: b'raw' has no place in JSON"),
        (step(depends_on="b"), "steps[0].depends_on: should be a valid list, got 'b'"),
        (step(depends_on=None), "steps[0].depends_on: should be a valid list, got None"),
        (step(depends_on=["b c"]), "steps[0].depends_on[0]: "),
        (step(condition=""), "steps[0].condition: "),
        (step(condition=True), "steps[0].condition: should be a valid string, got True"),
        (step(condition="${{ }}"), "steps[0].condition: the expression is empty"),
        (step(timeout=True), "steps[0].timeout: expected a duration"),
        (step(retry={"max": "3"}), "steps[0].retry.max: should be a valid integer, got '3'"),
        (step(retry={"max": 10_001}), "steps[0].retry.max: should be less than or equal to 10000"),
        (step(retry={"delay": "-1s"}), "steps[0].retry.delay: a duration cannot be negative"),
        (step(on_crash="explode"), "steps[0].on_crash: 'explode' is not allowed here (one of retry, fail, "),
        ({"id": "a", "action": ""}, "steps[0].action: "),
        (within("condition", {**step(), "foo": 1}), "config.branches.true[0].foo: unknown field 'foo'"),
    ],
)
def test_odd_fields_are_refused_where_they_stand(given_step: dict[str, Any], fault: str):
    found = faults(given_step)
    assert any(fault in text for text in found), found


@pytest.mark.parametrize("name", ["config", "retry", "on_error", "options", "steps", "action", "loop", "0"])
def test_a_branch_may_have_any_name_and_faults_inside_it_are_found(name: str):
    inner = {**step(), "depend_on": ["x"]}
    condition = {
        "id": "c",
        "type": "condition",
        "config": {"expression": "inputs.k", "branches": {name: [inner]}},
    }
    (found,) = faults(condition)
    assert found == (
        f"steps[0].config.branches.{name}[0].depend_on: "
        "unknown field 'depend_on' (did you mean 'depends_on'?)"
    )
    del inner["depend_on"]
    assert plan(condition)


@pytest.mark.parametrize("name", ["", "a[0]", "]"])
def test_a_branch_s_name_has_no_brackets_and_is_not_empty(name: str):
    condition = {
        "id": "c",
        "type": "condition",
        "config": {"expression": "inputs.k", "branches": {name: [step()]}},
    }
    (found,) = issues({"steps": [condition]})
    assert found.path == f"steps[0].config.branches.{name}"
    assert found.message == f"{name!r} cannot be the name of a branch"


def test_keys_with_x_pass_in_every_object_of_the_model_and_a_branch_named_so_is_a_branch():
    x = {"x-note": {"anything": [1]}}
    inner = {**step("i", retry={"max": 1, **x}, on_error={"strategy": "ignore", **x}), **x}
    condition = {
        "id": "c",
        "type": "condition",
        "config": {"expression": "inputs.k", "branches": {"x-ray": [inner], "params": [step("j", **x)]}, **x},
        **x,
    }
    options = {"id": "r", "type": "reasoning", "config": {"options": [{"id": "o", **x}], **x}, **x}
    made = plan(condition, options, on_error={**step("h"), **x}, **x)
    assert set(made.steps[0].flow.branches) == {"x-ray", "params"}  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["missing", "unknown param", "is missing"])
def test_a_template_in_a_typed_param_is_left_to_the_call_whatever_it_says(name: str):
    typed = {"id": "a", "action": "t.typed", "params": {"text": "x", "count": f"${{{{inputs['{name}']}}}}"}}
    assert plan(typed).steps[0].check is not None


@pytest.mark.parametrize("value", ["missing", "unknown param", "it is missing"])
def test_a_wrong_value_is_told_whatever_it_says(value: str):
    typed = {"id": "a", "action": "t.typed", "params": {"text": "${{inputs.x}}", "count": value}}
    assert faults(typed) == [f"steps[0].params.count: should be integer, got {value!r}"]


@pytest.mark.parametrize(
    ("on_error", "fault"),
    [
        ({"strategy": "fallback_step", "fallback_step": "a"}, "there is no step 'a'"),
        ({"strategy": "fallback_step"}, "'fallback_step' is missing"),
        ({"strategy": "ignore", "fallback_step": "a"}, "the strategy 'ignore' has no fallback"),
    ],
)
@pytest.mark.parametrize("hook", ["on_complete", "on_error"])
def test_nothing_can_stand_in_for_a_hook(hook: str, on_error: dict[str, Any], fault: str):
    (found,) = faults(step(), **{hook: step("h", on_error=on_error)})
    assert found.startswith(f"{hook}.on_error.fallback_step: {fault}")


def test_the_error_carries_every_issue_with_its_path_for_the_wire():
    with pytest.raises(InvalidDefinition) as refused:
        make_plan({"steps": [step(depends_on=["b"]), {"id": "c", "action": "no.such"}]}, WITH_CEL)
    error = refused.value
    assert error.message == f"{error.issues[0]}, and 1 more"
    assert error.details["issues"] == [issue.to_dict() for issue in error.issues]
    assert [issue["path"] for issue in error.details["issues"]] == [
        "steps[0].depends_on[0]",
        "steps[1].action",
    ]
    assert error.code is ErrorCode.VALIDATION_ERROR
    assert not error.retryable


def test_an_issue_of_the_whole_has_no_path():
    assert str(Issue("", "wrong", "mend it")) == "wrong (mend it)"
    assert str(Issue("a", "wrong")) == "a: wrong"


RICH: dict[str, Any] = {
    "inputs": {"n": 1, "key": "${{secrets.K}}", "list": [1]},
    "context": {"intent": "x"},
    "timeout": "5m",
    "steps": [
        step("a", retry={"max": 2, "backoff": "linear", "delay": "1s"}),
        step("b", "${{steps.a.output}}", depends_on=["a"], condition="inputs.n == 1"),
        {
            "id": "c",
            "type": "condition",
            "depends_on": ["b"],
            "config": {"expression": "inputs.n", "branches": {"1": [step("x")]}, "default": [step("y")]},
        },
        {
            "id": "l",
            "type": "loop",
            "config": {"over": "inputs.list", "body": [step("z", "${{loop.item}}")], "max_iter": 3},
        },
        {"id": "p", "type": "parallel", "config": {"mode": "race", "branches": [[step("u")], [step("v")]]}},
        {"id": "w", "type": "wait", "config": {"duration": 1}},
        {
            "id": "r",
            "type": "reasoning",
            "config": {"options": [{"id": "yes"}], "fallback": "yes", "data_inject": {"d": "steps.a"}},
        },
        step("s", on_error={"strategy": "fallback_step", "fallback_step": "a2"}),
        step("a2", {"deep": ["${{secrets.K}} ${{inputs.key}}"]}),
    ],
    "on_error": step("h", "${{workflow.error.message}}"),
    "output": {"all": "${{steps.a.output}}"},
    "metadata": {"any": [1]},
}
JUNK = st.sampled_from(
    [
        *(
            None,
            True,
            0,
            -1,
            2**70,
            1.5,
            float("nan"),
            "",
            "x",
            "a",
            "a\0",
            "\ud800",
            "loop",
            "fallback_step",
        ),
        *("${{", "${{ }}", "${{steps}}", "${{loop.x}}", ["${{secrets.K}}"], "1 +", "jq:", "."),
        *([], {}, [[]], {"id": "a"}, {"x-a": 1}, {"type": "loop"}, {"$ref": "#"}, {"a": {"": []}}),
        [{"id": "a", "action": "t.echo"}],
    ]
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [path, *(place for key, item in entries for place in places(item, (*path, key)))]


PLACES = places(RICH)[1:]
KEYS = st.sampled_from(
    ["id", "type", "config", "params", "branches", "x-a", "\ud800", "depend_on", "a[0]", "", "0"]
)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from("snda"), JUNK, KEYS), min_size=1, max_size=4)
)
def test_a_valid_definition_broken_anywhere_is_refused_in_our_words_or_accepted(
    changes: list[tuple[tuple[Any, ...], str, Any, str]],
):
    broken = copy.deepcopy(RICH)
    for (*way, last), how, junk, key in changes:
        holder: Any = broken
        try:
            for part in way:
                holder = holder[part]
            if how == "s":
                holder[last] = junk
            elif how == "d":
                del holder[last]
            elif how == "a":
                holder[last][key] = junk
            else:
                holder[last] = [holder[last]]
        except (KeyError, IndexError, TypeError):
            continue
    for catalogue in (WITH_CEL, WITHOUT_CEL):
        try:
            made = make_plan(broken, catalogue)
        except InvalidDefinition as refused:
            assert refused.issues
            json.dumps(refused.to_dict())
        else:
            assert make_plan(made.source, catalogue).hash == made.hash


def test_the_definition_that_is_broken_above_is_valid():
    made = plan(*RICH["steps"], **{name: value for name, value in RICH.items() if name != "steps"})
    assert set(made.secret_inputs) == {"key"}
    assert made.on_error is not None
    assert made.leaves == ("c", "l", "p", "w", "r", "s", "a2")


def test_a_fault_behind_a_template_is_left_to_the_call_and_one_beside_it_is_told():
    options = {"text": "x", "options": {"a.b": "${{inputs.x}}"}}
    assert plan({"id": "a", "action": "t.typed", "params": options})
    options = {"text": "x", "options": ["${{inputs.x}}"], "mode": 5}
    (found,) = faults({"id": "a", "action": "t.typed", "params": options})
    assert found == "steps[0].params.mode: should be string or null, got 5"


def test_steps_of_a_block_may_wait_for_earlier_ones():
    block = [step("x"), step("y", depends_on=["x"]), step("z", depends_on=["x", "y"])]
    assert plan({"id": "p", "type": "parallel", "config": {"branches": [block]}})


def test_the_schema_for_editors_accepts_what_the_compiler_does():
    from jsonschema import Draft202012Validator

    schema = definition_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert not list(validator.iter_errors(RICH))
    assert list(validator.iter_errors({"steps": []}))
    assert list(validator.iter_errors({"steps": [step(timeout="soon")]}))
    assert schema["title"] == "OPCODE workflow"
