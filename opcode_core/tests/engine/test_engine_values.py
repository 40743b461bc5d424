"""What steps give and take: params, inputs, context, outputs; every value passes unchanged."""

import pytest
from engine_workbench import condition, echo, for_each, gate, parallel, step, workflow

from opcode_core import OpcodeError

AWKWARD = {
    "quotes": "he said \"hi\" and 'bye'",
    "backslashes": "C:\\new\\table \\u0041",
    "template": "${{ inputs.other }}",
    "secret template": "${{secrets.X}}",
    "half a template": "${{",
    "closing": "}} }",
    "braces": '{"a": ["}}"]}',
    "newlines": "a\nb\r\n\tc",
    "control": "\x01\x1f\x7f",
    "unicode": "Ünï©ødé 漢字 🎉 \u202e",
    "surrogate": "\ud800 alone",
    "empty": "",
    "code": "__import__('os').system('true')",
    "cel": "inputs.a == 1",
    "numbers": [0, -1, 2**63 - 1, -(2**63), 1.5, 1e308, 5e-324],
    "others": [None, True, False, [], {}],
    "deep": {"a": [{"b": [{"c": ["${{x}}", '"']}]}]},
    "keys": {"a.b": 1, "${{k}}": 2, '"': 3, "": 4, "\ud800": 5},
}
EVERY_VALUE = pytest.mark.parametrize("value", AWKWARD.values(), ids=AWKWARD.keys())


@EVERY_VALUE
@pytest.mark.parametrize("action", ["t.echo", "t.aecho"])
async def test_values_pass_unchanged_through_inputs_params_and_outputs(bench, value, action):
    state = await bench.run(
        workflow(
            step("a", action, {"value": "${{inputs.v}}"}),
            step("b", action, {"value": {"inner": ["${{steps.a.output}}"]}}, after="a"),
            for_each(
                "l", "${{steps.b.output.inner}}", step("x", action, {"value": "${{loop.item}}"}), after="b"
            ),
            parallel("p", [step("y", action, {"value": "${{ steps.l.output.results[0] }}"})], after="l"),
        ),
        {"v": value},
    )
    assert state.status == "completed"
    assert state.output == {"p": {"mode": "all", "branches": [value]}}


@EVERY_VALUE
async def test_values_pass_unchanged_through_the_context_and_events(bench, value):
    state = await bench.run(
        workflow(
            step("r", "t.remember", {"data": {"v": "${{inputs.v}}"}}),
            step("e", "t.emit", {"event_type": "custom", "payload": {"v": "${{context.v}}"}}, after="r"),
            output={"v": "${{context.v}}"},
        ),
        {"v": value},
    )
    assert state.output == {"v": value}
    (event,) = await bench.events(state, "custom")
    assert (event.payload, event.step_id) == ({"v": value}, "e")


async def test_a_value_put_into_text_is_put_in_as_it_is(bench):
    text = "<${{inputs.s}}> <${{inputs.o}}> <${{inputs.n}}> <${{inputs.z}}>"
    values = {"s": 'a "quote" }} ${{inputs.n}}', "o": {"k": '"'}, "n": 5, "z": None}
    state = await bench.run(workflow(echo("a", text)), values)
    assert state.output == {"a": '<a "quote" }} ${{inputs.n}}> <{"k":"\\""}> <5> <null>'}


async def test_an_action_that_changes_its_params_changes_nobody_elses(bench):
    original = {"list": [1], "inner": {"old": {"deep": [1]}}}
    changing = [step(f"m{i}", "t.mutate", {"value": "${{steps.a.output}}"}, after="a") for i in range(2)]
    state = await bench.run(
        workflow(echo("a", "${{inputs.v}}"), *changing, echo("z", "${{steps.a.output}}", after="m0 m1")),
        {"v": original},
    )
    assert state.status == "completed"
    assert (
        state.steps["m0"].output
        == state.steps["m1"].output
        == {
            "list": [1, "mutated"],
            "inner": {},
            "new": {"deep": [1]},
        }
    )
    assert state.output["z"] == {"list": [1], "inner": {"old": {"deep": [1]}}}
    assert state.inputs == {"v": original}


async def test_an_action_that_changes_constant_params_changes_no_other_run(bench):
    plan = await bench.engine.plan(
        workflow(step("m", "t.mutate", {"value": {"list": [1], "inner": {"old": 2}}}))
    )
    first, second = await bench.run(plan), await bench.run(plan)
    assert first.output == second.output == {"m": {"list": [1, "mutated"], "inner": {}, "new": 2}}


@pytest.mark.parametrize("source", ["${{loop.item}}", "${{context.v}}", "${{inputs.v}}"])
async def test_an_action_that_changes_what_it_was_given_changes_no_other_attempt(bench, source):
    value = {"list": [1], "inner": {"old": 2}}
    body = [step("m", "t.mutate", {"value": source}), echo("z", source)]
    state = await bench.run(
        workflow(for_each("l", "${{inputs.list}}", *body), context={"v": value}),
        {"v": value, "list": [value]},
    )
    assert state.output["l"]["results"] == [{"list": [1], "inner": {"old": 2}}]


async def test_an_output_is_what_the_log_gives_back(bench):
    """What an action keeps a hand on is not what later steps see."""
    state = await bench.run(workflow(step("a", "t.kept"), echo("b", "${{steps.a.output}}", after="a")))
    bench.lab.received[0]["list"].append("later")
    assert state.output == {"b": {"list": [1]}}
    assert state.steps["a"].output == {"list": [1]}


# ---- inputs ----------------------------------------------------------------------------------


async def test_params_override_inputs_key_by_key(bench):
    state = await bench.run(
        workflow(echo("a", "${{inputs}}"), inputs={"x": 1, "y": {"z": 2}}), {"y": 5, "w": 6}
    )
    assert state.output == {"a": {"x": 1, "y": 5, "w": 6}}


async def test_params_are_taken_as_they_were(bench):
    """A tuple is a list, and what the caller does with its own afterwards changes nothing."""
    params = {"pair": (1, 2), "list": [1]}
    run_id = await bench.start(
        workflow(gate("g"), for_each("l", "${{inputs.pair}}", echo("x", "${{loop.item}}"), after="g")), params
    )
    params["list"].append("later")
    bench.lab.open("g")
    state = await bench.wait(run_id)
    assert state.inputs == {"pair": [1, 2], "list": [1]}
    assert state.output["l"]["results"] == [1, 2]


async def test_inputs_may_hold_templates_over_what_was_given(bench):
    inputs = {
        "greeting": "hello ${{inputs.name}}",
        "run": "${{workflow.run_id}}",
        "who": "${{context.intent}}",
    }
    state = await bench.run(
        workflow(echo("a", "${{inputs}}"), inputs=inputs, context={"intent": "greet"}), {"name": "you"}
    )
    assert state.output["a"] == {"greeting": "hello you", "run": state.id, "who": "greet", "name": "you"}


async def test_an_input_whose_template_leads_nowhere_starts_no_run(bench):
    with pytest.raises(OpcodeError, match="nope") as caught:
        await bench.run(workflow(echo("a"), inputs={"x": "${{inputs.nope}}"}))
    assert caught.value.code == "INTERPOLATION_ERROR"


async def test_inputs_that_the_schema_declares_and_nobody_gave_are_null(bench):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}, "m": {"default": 7}}}
    await bench.engine.define("t", workflow(echo("a", "${{inputs}}")), input_schema=schema)
    assert (await bench.run("t")).output == {"a": {"n": None, "m": 7}}


@pytest.mark.parametrize(
    ("params", "inputs"),
    [
        ({}, {"n": 1, "m": 7, "text": "n is none"}),
        ({"n": 5}, {"n": 5, "m": 7, "text": "n is 5"}),
        ({"n": None}, {"n": None, "m": 7, "text": "n is none"}),
    ],
)
async def test_the_definition_has_a_value_for_what_its_schema_declares(bench, params, inputs):
    schema = {"properties": {"n": {"type": ["integer", "null"]}, "m": {"default": 7}}}
    text = "n is ${{ inputs.n == null ? 'none' : string(inputs.n) }}"
    definition = workflow(echo("a", "${{inputs}}"), inputs={"n": 1, "m": 2, "text": text})
    await bench.engine.define("t", definition, input_schema=schema)
    assert (await bench.run("t", params)).output == {"a": inputs}


class Text(str):
    """What only looks like a text."""

    __slots__ = ()


@pytest.mark.parametrize(
    "params", [{"n": float("nan")}, {"n": {1: 2}}, {"n": object()}, {"n": 2**70}, {"n": Text("x")}]
)
async def test_params_that_are_not_json_start_no_run(bench, params):
    with pytest.raises(OpcodeError) as caught:
        await bench.run(workflow(echo("a")), params)
    assert caught.value.code == "VALIDATION_ERROR"
    assert bench.engine.driven == []


# ---- context, workflow -----------------------------------------------------------------------


async def test_the_context_starts_as_defined_and_can_be_changed(bench):
    state = await bench.run(
        workflow(
            step("r", "t.remember", {"data": {"notes": "new", "more": 1}}),
            step("c", "t.recall", after="r"),
            context={"intent": "i", "notes": "old"},
        )
    )
    assert state.output == {"c": {"intent": "i", "notes": "new", "more": 1}}
    assert state.context == await bench.storage.context(state.id)
    (event,) = await bench.events(state, "variable_set")
    assert event.payload == {"data": {"notes": "new", "more": 1}}


async def test_a_runs_context_does_not_leak_into_the_next(bench):
    plan = await bench.engine.plan(
        workflow(step("r", "t.remember", {"data": {"n": 2}}), context={"n": 1, "list": []})
    )
    await bench.run(plan)
    assert plan.definition.context == {"n": 1, "list": []}
    assert (await bench.run(workflow(step("c", "t.recall"), context={"n": 1}))).output == {"c": {"n": 1}}


async def test_what_a_run_is_called(bench):
    await bench.engine.define("greet", workflow(echo("a", "${{workflow}}")), agent_id="agent-1")
    state = await bench.run("greet", agent_id="agent-2", name="mine")
    assert state.output["a"] == {
        "run_id": state.id,
        "name": "mine",
        "template_name": "greet",
        "template_version": "v1",
        "agent_id": "agent-2",
        "started_at": "1970-01-12T13:46:40+00:00",
        "error": None,
    }


# ---- outputs ---------------------------------------------------------------------------------


async def test_without_a_template_the_output_is_that_of_the_leaves_which_completed(bench):
    state = await bench.run(
        workflow(
            echo("a"),
            echo("b", 2, after="a"),
            echo("skipped", condition="false"),
            step("ignored", "t.flaky", on_error={"strategy": "ignore"}),
            condition("c", "true", {"true": [echo("inner", 5)]}),
            echo("null", "${{inputs.nothing}}"),
        ),
        {"nothing": None},
    )
    assert state.output == {"b": 2, "c": {"branch": "true", "output": 5}, "null": None}


async def test_the_outputs_template(bench):
    state = await bench.run(
        workflow(
            echo("a", {"n": [1, 2]}),
            echo("never", condition="false"),
            output={"n": "${{steps.a.output.n[1]}}", "text": "n is ${{steps.a.n[0]}}", "sum": "${{ steps.a.n[0] + 10 }}",
                    "never": "${{steps.never.output}}", "status": "${{steps.never.status}}", "const": {"x": [1]}},
        )
    )  # fmt: skip
    assert state.output == {
        "n": 2,
        "text": "n is 1",
        "sum": 11,
        "never": None,
        "status": "skipped",
        "const": {"x": [1]},
    }


async def test_an_empty_outputs_template_gives_nothing(bench):
    assert (await bench.run(workflow(echo("a"), output={}))).output == {}


async def test_an_outputs_template_that_leads_nowhere_fails_the_run(bench):
    state = await bench.run(workflow(echo("a", {"n": 1}), output={"x": "${{steps.a.output.nope}}"}))
    assert (state.status, state.output, state.error["code"]) == ("failed", None, "INTERPOLATION_ERROR")
    assert "'nope'" in state.error["message"]


async def test_a_path_that_leads_nowhere_names_what_is_there(bench):
    state = await bench.run(
        workflow(echo("a", {"name": 1}), echo("b", "${{steps.a.output.nmae}}", after="a"))
    )
    assert state.error["code"] == "INTERPOLATION_ERROR"
    assert all(word in state.error["message"] for word in ("steps.a.output.nmae", "nmae", "name"))
    assert state.error["step_id"] == "b"


async def test_an_output_that_cel_makes_of_nothing_but_numbers_stays_json(bench):
    state = await bench.run(workflow(echo("a", "${{ 1.0 / 0.0 }}")))
    assert (state.status, state.error["step_id"]) == ("failed", "a")


# ---- what actions are told -------------------------------------------------------------------


async def test_actions_are_told_whom_they_work_for(bench):
    state = await bench.run(workflow(for_each("l", [1], step("a", "t.who"))), agent_id="me")
    assert state.output["l"]["results"] == [
        {"run": state.id, "step": "l.iter_0.a", "agent": "me", "attempt": 1}
    ]


async def test_the_idempotency_key_is_the_same_for_every_try_and_different_for_every_step(bench):
    failing = step("a", "t.external", {"fail": True}, retry={"max": 2}, on_error={"strategy": "ignore"})
    first = await bench.run(workflow(failing, for_each("l", [1, 2], step("b", "t.external"), after="a")))
    keys = [(context.step_id, context.attempt, context.idempotency_key) for context in bench.lab.contexts]
    assert [key[:2] for key in keys] == [("a", 1), ("a", 2), ("a", 3), ("l.iter_0.b", 1), ("l.iter_1.b", 1)]
    assert len({key for step_id, _, key in keys if step_id == "a"}) == 1
    assert len({key for _, _, key in keys}) == 3
    second = await bench.run(workflow(step("a", "t.external")))
    assert first.id != second.id
    assert bench.lab.contexts[-1].idempotency_key != keys[0][2]


async def test_a_log_line_carries_the_steps_ids(bench, caplog):
    caplog.set_level("INFO", "opcode.action")
    state = await bench.run(workflow(step("a", "t.who")))
    bench.lab.contexts[0].logger.info("hello %s", "you", extra={"fields": {"n": 1}})
    (record,) = [record for record in caplog.records if record.name == "opcode.action"]
    assert (record.getMessage(), record.workflow_id, record.step_id, record.agent_id) == (
        "hello you",
        state.id,
        "a",
        "local",
    )
    assert record.fields == {"n": 1}
