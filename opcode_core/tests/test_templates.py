"""Values are put in as values; what leads nowhere says what is there."""

from typing import Any

import pytest

import opcode_cel.plugin
from opcode_core import ErrorCode, OpcodeError
from opcode_core.definition import Definition
from opcode_core.references import Names
from opcode_core.scope import Scope, StepView
from opcode_core.state import RunState, StepState
from opcode_core.stop import Stop
from opcode_core.templates import Surroundings, Template, compile_template, parse_path, split_template

CEL = next(iter(opcode_cel.plugin.opcode_expression_engines()))
STEPS = Definition.model_validate(
    {
        "steps": [
            {"id": "fetch", "action": "x.y"},
            {"id": "review-gate", "action": "x.y"},
            {"id": "failed", "action": "x.y"},
            {"id": "skipped", "action": "x.y"},
            {"id": "running", "action": "x.y"},
            {"id": "never", "action": "x.y"},
            {
                "id": "check",
                "type": "condition",
                "config": {
                    "expression": "true",
                    "branches": {"true": [{"id": "ask", "action": "x.y"}, {"id": "fetch", "action": "x.y"}]},
                    "default": [{"id": "log", "action": "x.y"}],
                },
            },
            {
                "id": "sweep",
                "type": "loop",
                "config": {"over": [1], "body": [{"id": "one", "action": "x.y"}]},
            },
            {"id": "fan", "type": "parallel", "config": {"branches": [[{"id": "get", "action": "x.y"}]]}},
        ]
    }
).steps
NAMES = Names(()).within(STEPS)


def done(output: Any) -> StepState:
    return StepState("completed", output)


@pytest.fixture
def state() -> RunState:
    body = {
        "items": [{"name": 'a "b"'}, {"name": "c"}],
        "true": {"x": 1},
        "n": 30,
        "none": None,
        "status": 200,
    }
    return RunState(
        "run-1",
        agent_id="agent-1",
        name="w",
        started_at=0.0,
        inputs={"n": 2, "price": 29.99, "text": "${{secrets.X}} }} \ud800", "a-b": 1, "list": [1, [2]]},
        context={"intent": "sell"},
        steps={
            "fetch": done({"body": body, "status": "200 OK"}),
            "review-gate": done({"choice": "yes"}),
            "failed": StepState("failed", None, {"code": "EXECUTION_ERROR", "message": "no"}),
            "skipped": StepState("skipped", reason="its condition is false: x"),
            "running": StepState("running"),
            "check": done({"branch": "true", "output": 7, "true": {"ask": "not this"}}),
            "check.true.ask": done({"choice": "no"}),
            "check.true.fetch": done({"inner": True}),
            "sweep": done({"iterations": 1, "results": [5]}),
            "sweep.iter_0.one": done(5),
            "fan": done({}),
            "fan.branch_0.get": done([1, 2]),
        },
    )


def around(names: Names = NAMES, **options: Any) -> Surroundings:
    return Surroundings(names, CEL, options.pop("secret_inputs", {}), **options)


def render(template: Any, state: RunState, scope: Scope | None = None, **options: Any) -> Any:
    return compile_template(template, around(**options)).render(scope or Scope(state, Stop()))


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("${{ steps.fetch.output.body.items }}", [{"name": 'a "b"'}, {"name": "c"}]),
        ("${{steps.fetch.output.body.items[0].name}}", 'a "b"'),
        ("${{steps.fetch.body.items[-1].name}}", "c"),
        ("${{steps.fetch.body.items.1.name}}", "c"),
        ("${{steps['fetch'].output['body'][\"n\"]}}", 30),
        ("${{steps.fetch.body.none}}", None),
        ("${{steps.fetch.status}}", "completed"),
        ("${{steps.fetch.output.status}}", "200 OK"),
        ("${{steps.fetch.error}}", None),
        ("${{steps.review-gate.output.choice}}", "yes"),
        ("${{steps['review-gate'].choice}}", "yes"),
        ("${{steps.failed.error.message}}", "no"),
        ("${{steps.failed.status}}", "failed"),
        ("${{steps.skipped.output}}", None),
        ("${{steps.skipped.status}}", "skipped"),
        ("${{steps.never.status}}", "pending"),
        ("${{steps.never.error}}", None),
        ("${{steps.check.true.ask.output.choice}}", "no"),
        ("${{steps['check.true.ask'].choice}}", "no"),
        ("${{steps.check.output.branch}}", "true"),
        ("${{steps.check.default.log.output}}", None),
        ("${{steps.sweep.iter_0.one.output}}", 5),
        ("${{steps.fan.branch_0.get[1]}}", 2),
        ("${{inputs.n}}", 2),
        ("${{inputs.a-b}}", 1),
        (
            "${{inputs}}['n']",
            '{"n":2,"price":29.99,"text":"${{secrets.X}} }} \\ud800","a-b":1,"list":[1,[2]]}[\'n\']',
        ),
        ("${{context.intent}}", "sell"),
        ("${{workflow.run_id}} ${{workflow.name}} ${{workflow.agent_id}}", "run-1 w agent-1"),
        ("${{workflow.started_at}}", "1970-01-01T00:00:00+00:00"),
        ("${{workflow.template_name}}", None),
        ("${{inputs.text}}", "${{secrets.X}} }} \ud800"),
        (
            "n=${{inputs.n}}, x=${{steps.fetch.body.true}}, z=${{steps.fetch.body.none}}!",
            'n=2, x={"x":1}, z=null!',
        ),
        ("${{ inputs.n + 1 }}", 3),
        ("${{ inputs.price * 2 }}", 59.98),
        ("${{ size(steps.fetch.body.items) }}", 2),
        ("${{ {'a': {'b': '}}'}} }}", {"a": {"b": "}}"}}),
        ("${{ '${{' }}", "${{"),
        ('${{ "a\\"}}" }}', 'a"}}'),
        ("plain", "plain"),
        ({"k": ["${{inputs.n}}", {"x": "${{inputs.list}}"}], "s": 1}, {"k": [2, {"x": [1, [2]]}], "s": 1}),
        ({"${{inputs.n}}": 1}, {"${{inputs.n}}": 1}),
        (5, 5),
        (None, None),
    ],
)
def test_rendering(template, value, state: RunState):
    assert render(template, state) == value


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            "${{steps.fetch.output.body.itms}}",
            "steps.fetch.output.body has no 'itms'; it has: items, n, none, status, true; did you mean 'items'?",
        ),
        ("${{steps.fetch.body.items[5]}}", "steps.fetch.output.body.items has no '5'; it is a list of 2"),
        ("${{steps.fetch.body.items.name}}", "has no 'name'; it is a list of 2"),
        ("${{steps.fetch.body.n.x}}", "has no 'x'; it is a number"),
        ("${{steps.fetch.body.none.x}}", "has no 'x'; it is null"),
        ("${{inputs.text.x}}", "inputs.text has no 'x'; it is a text"),
        ("${{inputs.nope}}", "inputs has no 'nope'; it has: a-b, list, n, price, text"),
        ("${{context.x}}", "context has no 'x'; it has: intent"),
        (
            "${{steps.skipped.output.x}}",
            "step 'skipped' is skipped (its condition is false: x), so it has no output",
        ),
        ("${{steps.failed.output.x}}", "step 'failed' is failed, so it has no output"),
        ("${{steps.running.output}}", "step 'running' is running, so it has no output"),
        ("${{steps.never.output}}", "step 'never' has not run yet; name it in depends_on"),
        ("${{steps.check.default.log.output.x}}", "step 'check.default.log' did not run"),
        ("${{ inputs.nope + 1 }}", "cannot evaluate 'inputs.nope + 1'"),
    ],
)
def test_a_path_that_leads_nowhere(template: str, message: str, state: RunState):
    with pytest.raises(OpcodeError) as missing:
        render(template, state)
    assert missing.value.code is ErrorCode.INTERPOLATION_ERROR
    assert message in missing.value.message
    assert missing.value.details["expression"] in template


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("${{ }}", "an empty '${{ }}'"),
        ("${{ inputs.n", "'${{' is never closed"),
        ("${{steps}}", "'steps' names no step"),
        ("${{steps.fetsh.output}}", "there is no step 'fetsh'"),
        ("${{steps['check.maybe.ask'].output}}", "there is no step 'check.maybe.ask'"),
        ("${{input.n}}", "there is no 'input' to read from"),
        ("${{loop.item}}", "'loop.item' stands outside of a loop"),
        ("${{secrets.K}}", "may not stand here"),
        ("${{ 1 + }}", "1 +"),
    ],
)
def test_a_template_that_means_nothing_is_refused_when_it_is_compiled(template: str, message: str):
    with pytest.raises(OpcodeError) as refused:
        compile_template(template, around())
    assert refused.value.code is ErrorCode.VALIDATION_ERROR
    assert message in refused.value.message


def test_the_hint_names_the_nearest_step():
    with pytest.raises(OpcodeError) as refused:
        compile_template("${{steps.fetsh.output}}", around())
    assert refused.value.details["hint"] == "did you mean 'fetch'?"


def test_inside_a_block_the_nearest_name_counts(state: RunState):
    inside = NAMES.within(STEPS[6].config.branches["true"])  # type: ignore[union-attr]
    scope = Scope(state, Stop()).within("check.true.")
    assert render("${{steps.fetch.inner}}", state, scope, names=inside) is True
    assert render("${{steps.ask.choice}}", state, scope, names=inside) == "no"
    assert render("${{steps.review-gate.choice}}", state, scope, names=inside) == "yes"


def test_loop_variables(state: RunState):
    scope = Scope(state, Stop()).within("sweep.iter_3.", {"item": {"id": 9}, "index": 3})
    template = {
        "i": "${{loop.index}}",
        "x": "${{loop.item.id}}",
        "cel": "${{ iter.item.id + iter.index }}",
        "same": "${{iter.index}}",
    }
    assert render(template, state, scope, in_loop=True) == {"i": 3, "x": 9, "cel": 12, "same": 3}


def test_secrets_are_named_when_compiled_and_put_in_when_rendered(state: RunState):
    default = compile_template("Bearer ${{secrets.TOKEN}}", around(allow_secrets=True))
    options: dict[str, Any] = {"allow_secrets": True, "secret_inputs": {"auth": default}}
    template = compile_template({"h": "${{inputs.auth}}", "k": "k-${{secrets.KEY}}"}, around(**options))
    assert (template.secrets, template.secret_inputs) == ({"KEY"}, {"auth"})
    scope = Scope(state, Stop()).with_secrets({"KEY": "1", "TOKEN": "2"})
    assert template.render(scope) == {"h": "Bearer 2", "k": "k-1"}
    state.inputs["auth"] = "given"
    assert template.render(scope)["h"] == "given"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("${{ secrets.A + 'x' }}", "secrets cannot be computed with"),
        ("${{secrets.a.b}}", "is not a secret"),
    ],
)
def test_secrets_are_only_named(template: str, message: str):
    with pytest.raises(OpcodeError, match=message):
        compile_template(template, around(allow_secrets=True))


def test_an_input_with_a_secret_default_may_only_stand_in_params():
    default = compile_template("${{secrets.TOKEN}}", around(allow_secrets=True))
    with pytest.raises(OpcodeError, match="holds a secret by default"):
        compile_template("${{inputs.auth}}", around(secret_inputs={"auth": default}))


@pytest.mark.parametrize("value", [{"a": {"b": [1]}}, [{"a": 1}], {"a": 1}, [1]])
def test_constants_are_copied_for_each_call(value, state: RunState):
    template = compile_template(value, around())
    assert isinstance(template, Template)
    assert template.static
    first, second = (template.render(Scope(state, Stop())) for _ in range(2))
    assert first == second == value
    first.clear()
    assert template.render(Scope(state, Stop())) == value


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("a.b-c[0]['x y'].1", ["a", "b-c", 0, "x y", "1"]),
        ("a [ 'b' ] . c", ["a", "b", "c"]),
        ("a + b", None),
        ("a.b(c)", None),
        ("1a", None),
        ("a['b", None),
        ("a[b]", None),
    ],
)
def test_plain_paths(source: str, path):
    assert parse_path(source) == path


def test_pieces():
    assert split_template("a${{x}}b${{ y }}") == ["a", ("x",), "b", ("y",)]


def test_steps_as_expressions_see_them(state: RunState):
    scope = Scope(state, Stop()).within("check.true.")
    steps = scope.names["steps"]
    assert steps["fetch"]["inner"] is True
    assert steps["fetch"]["status"] == "completed"
    assert steps["fetch"]["output"] == {"inner": True}
    assert "ask" in steps
    assert "nobody" not in steps
    assert steps.missed is None
    assert {"ask", "fetch", "review-gate", "check.true.ask"} <= set(steps)
    assert len(steps) == len(set(steps))
    assert steps["skipped"].status == "skipped"
    assert steps.missed == "skipped"
    with pytest.raises(KeyError):
        steps["nobody"]
    assert steps.missed == "nobody"


def test_a_view_is_the_output_first():
    view = StepView({"status": 200, "a": 1}, "completed", None)
    assert (view["status"], view["a"], view["error"]) == (200, 1, None)
    with pytest.raises(KeyError):
        view["b"]
    assert StepView([1, 2], "completed", None)[1] == 2
    assert StepView([1, 2], "completed", None)["output"] == [1, 2]
