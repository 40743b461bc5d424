"""What a path means depends on where it stands: nested blocks, loops, fallbacks, secrets, with and without CEL."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import opcode_cel.plugin
from opcode_core import ErrorCode, OpcodeError
from opcode_core.definition import Definition
from opcode_core.references import Names, lanes
from opcode_core.scope import Scope, Steps
from opcode_core.state import RunState, StepState
from opcode_core.stop import Stop
from opcode_core.templates import Surroundings, as_text, compile_template, parse_path, split_template

CEL = next(iter(opcode_cel.plugin.opcode_expression_engines()))


def act(step_id: str) -> dict[str, Any]:
    return {"id": step_id, "action": "x.y"}


def block(step_id: str, kind: str, **config: Any) -> dict[str, Any]:
    return {"id": step_id, "type": kind, "config": config}


INNER_LOOP = block("each", "loop", over=[1], body=[act("get"), act("put")])
STEPS = Definition.model_validate(
    {
        "steps": [
            act("get"),
            act("a-b"),
            act("instead"),
            block("c", "condition", expression="x", branches={"1.5": [act("in")], "yes": [INNER_LOOP]}),
            block("p", "parallel", branches=[[act("l")], [block("q", "parallel", branches=[[act("deep")]])]]),
        ]
    }
).steps
OUTERMOST = Names(()).within(STEPS)
YES = STEPS[3].config.branches["yes"]  # type: ignore[union-attr]
IN_YES = OUTERMOST.within(YES)
IN_LOOP = IN_YES.within(YES[0].config.body)


def done(output: Any) -> StepState:
    return StepState("completed", output)


@pytest.fixture
def state() -> RunState:
    return RunState(
        "run-1",
        inputs={"who": "{{}}", "evil": '${{secrets.X}}"}\\', "n": 3, "lone": "\ud800", "0": "zero"},
        context={"notes": ["a"]},
        steps={
            "get": done({"from": "outside", "0": {"k": 1}, "": 1, "a.b": [[10, 20]]}),
            "a-b": StepState("failed", error={"code": "X", "message": "m"}, fallback="instead"),
            "instead": done({"v": 9}),
            "c": done({"branch": "yes"}),
            "c.1.5.in": done("in 1.5"),
            "c.yes.each": StepState("running"),
            "c.yes.each.iter_2.get": done({"from": "iteration 2"}),
            "c.yes.each.iter_0.get": done({"from": "iteration 0"}),
            "p.branch_1.q.branch_0.deep": done("deep"),
            "empty": done({}),
        },
    )


def render(template: Any, scope: Scope, names: Names = OUTERMOST, cel: Any = CEL, **options: Any) -> Any:
    return compile_template(template, Surroundings(names, cel, {}, **options)).render(scope)


def inside(state: RunState) -> Scope:
    """In the third iteration of the loop in the branch."""
    outer = Scope(state, Stop())
    return outer.within("c.yes.").within("c.yes.each.iter_2.", {"item": {"id": [7]}, "index": 2})


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("${{steps.get.from}}", "iteration 2"),
        ("${{steps['get'].output.from}}", "iteration 2"),
        ("${{ steps.get.from + '' }}", "iteration 2"),
        ("${{steps.each.status}}", "running"),
        ("${{steps.each.iter_0.get.from}}", "iteration 0"),
        ("${{steps.c.yes.each.iter_0.get.from}}", "iteration 0"),
        ("${{steps.c.1.5.in.output}}", "in 1.5"),
        ("${{steps.c['1.5'].in}}", "in 1.5"),
        ("${{steps['c.1.5.in'].output}}", "in 1.5"),
        ("${{steps.p.branch_1.q.branch_0.deep}}", "deep"),
        ("${{steps.put.status}}", "pending"),
        ("${{steps.put.error}}", None),
        ("${{loop.item.id[0]}} of ${{loop.index}}", "7 of 2"),
        ("${{loop}}", {"item": {"id": [7]}, "index": 2}),
        ("${{ iter.index + 1 }}", 3),
    ],
)
def test_inside_a_loop_in_a_branch(template: str, value: Any, state: RunState):
    assert render(template, inside(state), IN_LOOP, in_loop=True) == value


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("${{steps.get.from}}", "outside"),
        ("${{steps.a-b.output}}", {"v": 9}),
        ("${{steps['a-b'].v}} ${{ steps['a-b'].v + 1 }}", "9 10"),
        ("${{steps.a-b.status}}/${{steps.a-b.error.message}}", "failed/m"),
        ("${{steps.get['0'].k}}", 1),
        ("${{steps.get['']}}", 1),
        ("${{steps.get['a.b'][0][-1]}}", 20),
        ("${{ inputs['0'] }}", "zero"),
        ("${{inputs.0}}", "zero"),
        ("${{inputs.evil}}", '${{secrets.X}}"}\\'),
        ("<${{inputs.evil}}>", '<${{secrets.X}}"}\\>'),
        ("${{inputs.who}}${{inputs.who}}", "{{}}{{}}"),
        ("${{inputs.lone}}!", "\ud800!"),
        ({"a": ["${{context.notes}}"]}, {"a": [["a"]]}),
        ("${{context.notes}}", ["a"]),
        ("a ${{context.notes}}", 'a ["a"]'),
        ("${{ {'k': {'n': inputs.n}} }}", {"k": {"n": 3}}),
        ("${{ {'a': '}}'}['a'] + \"}}\" }}}}", "}}}}}}"),
        ("${{ inputs.n > 2 ? 'yes' : 'no' }}", "yes"),
        ("${{ inputs.n * 1.5 }}", 4.5),
        ("${{ null }}", None),
        ("${{ true }} ${{ 1.5 }} ${{ null }}", "true 1.5 null"),
        ("$ {{ }} ${ {{x}}", "$ {{ }} ${ {{x}}"),
    ],
)
def test_at_the_outermost_place(template: Any, value: Any, state: RunState):
    assert render(template, Scope(state, Stop())) == value


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("${{steps.put.from}}", "'steps.put.from': there is no step 'put'"),
        ("${{steps.c.no.each}}", None),
        ("${{steps['c.no.each'].x}}", "there is no step 'c.no.each'"),
        ("${{steps['p.branch_2.l'].x}}", "there is no step 'p.branch_2.l'"),
        ("${{steps['p.branch_x.l'].x}}", "there is no step 'p.branch_x.l'"),
        ("${{steps['get.iter_0.x'].x}}", "there is no step 'get.iter_0.x'"),
        ("${{iter.index}}", "stands outside of a loop"),
        ("${{secrets['K']}}", "'secrets['K']' may not stand here"),
        ("${{stps.get}}", "there is no 'stps' to read from"),
        ("${{ }}", "an empty"),
        ("${{ 'never closed }}", "is never closed"),
        ("${{ {'a': 1 }}", "is never closed"),
        ("${{ inputs.n + secrets.K }}", "secrets cannot be computed with"),
    ],
)
def test_what_means_nothing_is_refused_before_any_run(template: str, message: str | None):
    around = Surroundings(OUTERMOST, CEL, {}, allow_secrets="comput" in (message or ""))
    if message is None:
        assert compile_template(template, around)
        return
    with pytest.raises(OpcodeError) as refused:
        compile_template(template, around)
    assert refused.value.code is ErrorCode.VALIDATION_ERROR
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("template", "missing", "message"),
    [
        (
            "${{steps.get.form}}",
            "form",
            "steps.get.output has no 'form'; it has: , 0, a.b, from; did you mean 'from'?",
        ),
        ("${{steps.c.no.each}}", "no", "steps.c.output has no 'no'; it has: branch"),
        ("${{steps.c.yes.zz}}", "yes", "steps.c.output has no 'yes'; it has: branch"),
        ("${{inputs.who.x.y}}", "x", "inputs.who has no 'x'; it is a text"),
        ("${{context.notes[1]}}", "1", "context.notes has no '1'; it is a list of 1"),
        ("${{context.notes[0][0]}}", "0", "context.notes[0] has no '0'; it is a text"),
        ("${{context.notes.first}}", "first", "context.notes has no 'first'; it is a list of 1"),
        ("${{workflow.runid}}", "runid", "did you mean 'run_id'?"),
        ("${{workflow.error.message}}", "message", "workflow.error has no 'message'; it is null"),
    ],
)
def test_a_path_that_leads_nowhere_names_what_is_there(
    template: str, missing: str, message: str, state: RunState
):
    with pytest.raises(OpcodeError) as raised:
        render(template, Scope(state, Stop()))
    assert raised.value.code is ErrorCode.INTERPOLATION_ERROR
    assert message in raised.value.message
    assert raised.value.details["missing"] == missing
    assert raised.value.details["expression"] == template[3:-2]


def test_an_expression_that_fails_is_named_and_says_why(state: RunState):
    with pytest.raises(OpcodeError) as raised:
        render("${{ inputs.who + 1 }}", Scope(state, Stop()))
    assert raised.value.code is ErrorCode.INTERPOLATION_ERROR
    assert raised.value.message.startswith("cannot evaluate 'inputs.who + 1': ")
    assert raised.value.details["expression"] == "inputs.who + 1"


def test_every_other_kind_of_value_has_a_name_of_its_own(state: RunState):
    state.inputs.update(yes=True, no=False, number=1.5, empty={})
    for name, said in (
        ("yes", "it is true"),
        ("no", "it is false"),
        ("number", "it is a number"),
        ("empty", "it is an empty object"),
    ):
        with pytest.raises(OpcodeError, match=said):
            render(f"${{{{inputs.{name}.x}}}}", Scope(state, Stop()))


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("${{steps.get.from}}", "outside"),
        ("${{inputs.n}}/${{workflow.run_id}}", "3/run-1"),
        ("${{steps['a-b'].output.v}}", 9),
    ],
)
def test_without_cel_plain_paths_work(template: str, value: Any, state: RunState):
    assert render(template, Scope(state, Stop()), cel=None) == value


@pytest.mark.parametrize("source", ["inputs.n + 1", "size(inputs.n)", "true", "inputs", "'text'"])
def test_without_cel_what_is_no_path_says_what_to_install(source: str):
    around = Surroundings(OUTERMOST, None, {})
    if source == "inputs":
        assert compile_template("${{inputs}}", around)
        return
    with pytest.raises(OpcodeError, match="the expression engine 'cel' is not installed") as refused:
        compile_template(f"${{{{ {source} }}}}", around)
    assert refused.value.details["hint"] == "pip install opcode-cel"


def test_secrets_are_put_in_as_values_and_never_read_again(state: RunState):
    around = Surroundings(OUTERMOST, CEL, {}, allow_secrets=True)
    template = compile_template(["${{secrets.A}}", "x-${{ secrets['B-2'] }}-${{inputs.evil}}", 1], around)
    assert template.secrets == {"A", "B-2"}
    assert not template.static
    scope = Scope(state, Stop()).with_secrets({"A": "${{secrets.B-2}}", "B-2": '"}}'})
    assert template.render(scope) == ["${{secrets.B-2}}", 'x-"}}-${{secrets.X}}"}\\', 1]
    assert "secrets" not in scope.names


@pytest.mark.parametrize(
    "template", [{"a": [1, {"b": []}]}, "${{steps.get.output}}", ["${{inputs.n}}", [[]], {"k": {}}]]
)
def test_what_a_call_does_to_its_params_reaches_nobody_else(template: Any, state: RunState):
    compiled = compile_template(template, Surroundings(OUTERMOST, CEL, {}))
    first = compiled.render(Scope(state, Stop()))
    untouched = compile_template(template, Surroundings(OUTERMOST, CEL, {})).render(Scope(state, Stop()))
    spoil(first)
    assert compiled.render(Scope(state, Stop())) == untouched
    assert state.steps["get"].output["from"] == "outside"


def spoil(value: Any) -> None:
    for item in list(value.values() if isinstance(value, dict) else value):
        if isinstance(item, dict | list):
            spoil(item)
    if isinstance(value, dict):
        value["spoilt"] = True
        value.pop("from", None)
    else:
        value.append("spoilt")


@given(st.text(), st.text(), st.text())
def test_whatever_a_value_holds_it_is_put_in_as_it_is(before: str, value: str, after: str):
    before, after = (text.replace("$", "") for text in (before, after))
    scope = Scope(RunState("run-1", inputs={"v": value}), Stop())
    around = Surroundings(Names(()), CEL, {})
    assert compile_template("${{inputs.v}}", around).render(scope) == value
    text = compile_template(f"{before}${{{{inputs.v}}}}{after}", around)
    assert text.render(scope) == before + value + after


@given(st.text(alphabet="${} '\"\\a.[0]", max_size=30))
def test_any_text_is_cut_or_refused_in_our_words(text: str):
    try:
        pieces = split_template(text)
    except OpcodeError as error:
        assert "is never closed" in error.message
    else:
        assert all(pieces)
        if "${{" not in text:
            assert pieces == ([text] if text else [])


@given(st.lists(st.text(max_size=5) | st.integers(-9, 9), max_size=4))
def test_any_path_that_is_written_with_brackets_is_read_back(segments: list[str | int]):
    simple = [s for s in segments if isinstance(s, int) or not set(s) & {"'", "\\"}]
    written = "a" + "".join(f"[{s}]" if isinstance(s, int) else f"['{s}']" for s in simple)
    assert parse_path(written) == ["a", *simple]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("t", "t"),
        (None, "null"),
        (True, "true"),
        (1.0, "1.0"),
        ({"a": "ü"}, '{"a":"ü"}'),
        (["\ud800"], '["\\ud800"]'),
    ],
)
def test_how_a_value_looks_in_a_text(value: Any, text: str):
    assert as_text(value) == text


def test_the_steps_an_engine_sees_are_named_from_the_nearest_place(state: RunState):
    seen = Steps(inside(state))
    assert seen["get"].output == {"from": "iteration 2"}
    assert seen["a-b"].output == {"v": 9}
    assert {"get", "each", "c.1.5.in", "c.yes.each.iter_0.get"} <= set(seen)
    assert len(seen) == len(list(seen))
    assert "put" not in seen
    assert seen.missed is None
    assert seen["each"].status == "running"
    assert seen.missed == "each"


def test_the_names_of_a_scope_hold_a_loop_only_inside_one(state: RunState):
    assert set(Scope(state, Stop()).names) == {"steps", "inputs", "workflow", "context"}
    scope = inside(state)
    assert scope.names is scope.names
    assert scope.names["iter"] is scope.names["loop"] is scope.loop


def test_a_place_inside_takes_over_what_it_is_not_given(state: RunState):
    outer, inner_stop = Scope(state, Stop(), loop={"item": 1, "index": 0}), Stop()
    inner = outer.within("p.branch_0.")
    assert (inner.loop, inner.stop, inner.prefixes) == (outer.loop, outer.stop, ("", "p.branch_0."))
    assert outer.within("x.", stop=inner_stop).stop is inner_stop
    stopped = inner.with_stop(inner_stop)
    assert (stopped.stop, stopped.prefixes, stopped.loop) == (inner_stop, inner.prefixes, inner.loop)


def test_the_blocks_inside_a_step():
    assert [(name, where) for name, where, _ in lanes(STEPS[3])] == [
        ("1.5", "config.branches.1.5"),
        ("yes", "config.branches.yes"),
    ]
    assert [(name, where) for name, where, _ in lanes(YES[0])] == [("iter_0", "config.body")]
    assert [name for name, _, _ in lanes(STEPS[4])] == ["branch_0", "branch_1"]
    assert lanes(STEPS[0]) == []
