"""What callers ask of the engine: templates, runs, logs, and its own beginning and end."""

import asyncio

import pytest
from engine_workbench import echo, flow, gate, step, workflow

from opcode_core import Engine, OpcodeError, hookimpl
from opcode_core.engine import plans
from opcode_core.engine.clock import RandomIds, SystemClock
from opcode_core.memory import MemoryStorage
from opcode_core.plugins.manager import PluginManager


def code_of(caught):
    return str(caught.value.code)


# ---- templates -------------------------------------------------------------------------------


async def test_every_definition_is_a_new_version(bench):
    first, warnings = await bench.engine.define("t", workflow(echo("a", 1)), description="one", agent_id="me")
    second, _ = await bench.engine.define("t", workflow(echo("a", 2)), triggers={"cron": []})
    assert (first.version, first.description, first.agent_id, first.created_at) == (
        1,
        "one",
        "me",
        bench.clock.now(),
    )
    assert (second.version, second.triggers, list(warnings)) == (2, {"cron": []}, [])


@pytest.mark.parametrize(("version", "output"), [(None, 2), ("v1", 1), ("1", 1), (1, 1), ("v2", 2)])
async def test_a_run_of_a_version(bench, version, output):
    for value in (1, 2):
        await bench.engine.define("t", workflow(echo("a", value)))
    state = await bench.run("t", version=version)
    assert state.output == {"a": output}
    assert state.template_version == f"v{output}"


async def test_a_run_keeps_the_definition_that_it_began_with(bench):
    await bench.engine.define("t", workflow(gate("g"), echo("a", 1, after="g")))
    run_id = await bench.start("t")
    await bench.engine.define("t", workflow(echo("b", 2)))
    bench.lab.open("g")
    assert (await bench.wait(run_id)).output == {"a": 1}


@pytest.mark.parametrize(
    ("version", "code", "words"),
    [
        ("v9", "NOT_FOUND", "template 't' has no version v9"),
        ("newest", "VALIDATION_ERROR", "write v1, v2"),
        ("v-1", "VALIDATION_ERROR", "'v-1' is not a version"),
    ],
)
async def test_a_version_that_does_not_exist(bench, version, code, words):
    await bench.engine.define("t", workflow(echo("a")))
    with pytest.raises(OpcodeError, match=words) as caught:
        await bench.run("t", version=version)
    assert code_of(caught) == code


async def test_a_template_that_does_not_exist_names_the_nearest(bench):
    await bench.engine.define("deploy", workflow(echo("a")))
    with pytest.raises(OpcodeError, match=r"no template 'deplyo'.*'deploy'") as caught:
        await bench.run("deplyo")
    assert code_of(caught) == "NOT_FOUND"
    with pytest.raises(OpcodeError, match="there is no template 'zzz'$"):
        await bench.engine.template("zzz")


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb", "a\0b"])
async def test_names_that_a_template_cannot_have(bench, name):
    with pytest.raises(OpcodeError, match="is not a template's name") as caught:
        await bench.engine.define(name, workflow(echo("a")))
    assert code_of(caught) == "VALIDATION_ERROR"


@pytest.mark.parametrize("which", ["input_schema", "output_schema"])
async def test_a_schema_that_is_none(bench, which):
    with pytest.raises(OpcodeError, match=f"{which} is not a JSON Schema") as caught:
        await bench.engine.define("t", workflow(echo("a")), **{which: {"type": "strnig"}})
    assert code_of(caught) == "VALIDATION_ERROR"


async def test_an_invalid_definition_is_refused_and_not_stored(bench):
    with pytest.raises(OpcodeError) as caught:
        await bench.engine.define("t", workflow(echo("a"), echo("a")))
    assert code_of(caught) == "VALIDATION_ERROR"
    assert await bench.storage.template("t") is None


async def test_warnings_come_with_the_definition(bench):
    _, warnings = await bench.engine.define("t", workflow(echo("a"), echo("b", "${{steps.a.output}}")))
    assert ["does not wait for it" in warning.message for warning in warnings] == [True]


async def test_params_are_checked_against_the_schema_with_every_issue(bench):
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "s": {"type": "string"}},
        "required": ["s"],
    }
    await bench.engine.define("t", workflow(echo("a", "${{inputs}}")), input_schema=schema)
    with pytest.raises(OpcodeError, match="and 1 more") as caught:
        await bench.run("t", {"n": "x"})
    assert len(caught.value.details["issues"]) == 2
    with pytest.raises(OpcodeError, match="params.n"):
        await bench.run("t", {"n": "x", "s": ""})
    assert (await bench.run("t", {"s": "", "n": 1})).output == {"a": {"s": "", "n": 1}}


async def test_what_the_definition_has_a_default_for_is_not_missing(bench):
    schema = {"properties": {"n": {"type": "integer"}, "s": {"type": "string"}}, "required": ["n", "s"]}
    await bench.engine.define(
        "t", workflow(echo("a", "${{inputs.n}}"), inputs={"n": 7}), input_schema={"type": "object", **schema}
    )
    assert (await bench.run("t", {"s": ""})).output == {"a": 7}
    with pytest.raises(OpcodeError, match="'s' is missing"):
        await bench.run("t", {"n": 1})


async def test_many_params_are_checked_too(bench):
    item = {"type": "object", "properties": {"x": {"anyOf": [{"type": "number"}, {"type": "null"}]}}}
    schema = {"type": "object", "properties": {"rows": {"type": "array", "items": item}}}
    await bench.engine.define("t", workflow(echo("a", "${{ size(inputs.rows) }}")), input_schema=schema)
    rows = [{"x": number} for number in range(20_000)]
    assert (await bench.run("t", {"rows": rows})).output == {"a": 20_000}
    with pytest.raises(OpcodeError, match=r"params.rows\[19999\].x"):
        await bench.run("t", {"rows": [*rows[:-1], {"x": "no"}]})


async def test_plans_of_templates_are_made_once_and_not_kept_for_ever(bench, monkeypatch):
    monkeypatch.setattr(plans, "KEPT", 2)
    for name in "abc":
        await bench.engine.define(name, workflow(echo(name)))
    for name in "aabcab":
        assert (await bench.run(name)).output == {name: name}
    assert len(bench.engine._plans._kept) == 2


# ---- runs ------------------------------------------------------------------------------------


async def test_a_started_run_is_stored_and_goes_on_by_itself(bench):
    run_id = await bench.start(workflow(gate("a")))
    assert [event.event_type for event in await bench.events(run_id)] == ["workflow_started"]
    record = await bench.storage.run(run_id)
    assert (record.status, record.agent_id) == ("active", "local")
    assert await bench.storage.definition(record.definition_hash) is not None
    bench.lab.open("a")
    assert (await bench.wait(run_id)).status == "completed"
    record = await bench.storage.run(run_id)
    assert (record.status, record.output, record.completed_at) == ("completed", {"a": "a"}, bench.clock.now())


@pytest.mark.parametrize("as_text", [str, bytes])
async def test_a_definition_may_be_json_text(bench, as_text):
    from opcode_core import dumps

    text = dumps(workflow(echo("a")))
    plan = await bench.engine.plan(text.decode() if as_text is str else text)
    assert (await bench.run(plan)).output == {"a": "a"}


async def test_a_plan_serves_many_runs_at_once(bench):
    plan = await bench.engine.plan(workflow(step("a", "t.aecho", {"value": "${{inputs.n}}"})))
    states = await asyncio.gather(*(bench.run(plan, {"n": n}) for n in range(50)))
    assert [state.output["a"] for state in states] == list(range(50))


async def test_waiting_no_longer_than_that(bench):
    run_id = await bench.start(workflow(gate("a")))
    state = await bench.engine.wait(run_id, timeout=0.01)
    assert state.status == "active"
    bench.lab.open("a")
    assert (await bench.wait(run_id)).status == "completed"
    assert (await bench.wait(run_id)).status == "completed"  # also when it has ended


async def test_several_may_wait_for_one_run(bench):
    run_id = await bench.start(workflow(gate("a")))
    waiting = [asyncio.create_task(bench.wait(run_id)) for _ in range(3)]
    await bench.lab.reached("a")
    bench.lab.open("a")
    assert {state.status for state in await asyncio.gather(*waiting)} == {"completed"}


@pytest.mark.parametrize("ask", ["wait", "state", "log", "context_of", "find"])
async def test_a_run_that_does_not_exist(bench, ask):
    with pytest.raises(OpcodeError, match="there is no run 'nobody'") as caught:
        await getattr(bench.engine, ask)("nobody")
    assert code_of(caught) == "NOT_FOUND"


async def test_a_run_that_has_ended_is_folded_from_its_log(bench):
    state = await bench.run(workflow(echo("a")))
    again = await bench.engine.state(state.id)
    assert again is not state
    assert again == state


async def test_a_long_log_is_read_to_its_end(bench):
    state = await bench.run(workflow(*(echo(f"s{i}") for i in range(1100))))
    log = await bench.engine.log(state.id)
    assert len(log) == state.sequence == 2202


async def test_the_same_key_of_the_same_agent_gives_the_same_run(bench):
    definition = workflow(step("a", "t.external"))
    first = await bench.run(definition, idempotency_key="k")
    again = await bench.run(definition, idempotency_key="k")
    other_agent = await bench.run(definition, idempotency_key="k", agent_id="other")
    other_key = await bench.run(definition, idempotency_key="k2")
    assert first.id == again.id == await bench.start(definition, idempotency_key="k")
    assert len({first.id, other_agent.id, other_key.id}) == 3
    assert bench.lab.calls == ["a"] * 3


async def test_the_same_key_while_the_run_goes_on(bench):
    run_id = await bench.start(workflow(gate("a")), idempotency_key="k")
    waiting = asyncio.create_task(bench.run(workflow(gate("a")), idempotency_key="k"))
    await bench.lab.reached("a")
    bench.lab.open("a")
    assert (await waiting).id == run_id
    assert bench.lab.calls == ["a"]


async def test_a_conflict_that_is_not_about_the_key_is_told(bench):
    await bench.start(workflow(gate("a")))
    bench.ids.made = 0  # the next run gets an id that is taken
    with pytest.raises(OpcodeError) as caught:
        await bench.start(workflow(gate("a")), idempotency_key="k")
    assert code_of(caught) == "CONFLICT"


async def test_the_plan_of_a_run(bench):
    definition = workflow(gate("a"))
    run_id = await bench.start(definition)
    live = await bench.engine.plan_of(await bench.engine.state(run_id))
    bench.lab.open("a")
    ended = await bench.engine.plan_of(await bench.wait(run_id))
    assert [plan.steps[0].id for plan in (live, ended)] == ["a", "a"]


async def test_the_plan_of_a_run_whose_definition_is_gone(bench):
    state = await bench.run(workflow(echo("a")))
    bench.storage._definitions.clear()
    with pytest.raises(OpcodeError, match="is not stored") as caught:
        await bench.engine.plan_of(state)
    assert code_of(caught) == "NOT_FOUND"


async def test_a_run_is_found_by_the_beginning_or_the_end_of_its_id(make_bench):
    bench = await make_bench(ids=RandomIds())
    first = await bench.run(workflow(echo("a")))
    second = await bench.run(workflow(echo("a")))
    for part in (first.id, first.id[-10:], first.id[:-1]):
        assert (await bench.engine.find(part)).id == first.id
    with pytest.raises(OpcodeError, match="2 runs match") as caught:
        await bench.engine.find(first.id[:4])
    assert code_of(caught) == "CONFLICT"
    assert first.id != second.id


async def test_the_context_of_another_run(bench):
    run_id = await bench.start(workflow(gate("g"), echo("z", "${{context.n}}", after="g"), context={"n": 1}))
    await bench.engine.update_context(run_id, {"n": 2})
    assert await bench.engine.context_of(run_id) == {"n": 2}
    assert (await bench.storage.context(run_id)) == {"n": 2}  # it is stored when the call returns
    bench.lab.open("g")
    assert (await bench.wait(run_id)).output == {"z": 2}
    with pytest.raises(OpcodeError, match="is completed; its context no longer changes") as caught:
        await bench.engine.update_context(run_id, {"n": 3})
    assert code_of(caught) == "CONFLICT"


async def test_long_work_lets_others_have_their_turn(make_bench):
    """A run that never waits gives up the loop as time passes, and does not hoard events."""
    bench = await make_bench()
    turns = []

    async def other():
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    real = bench.engine.clock.monotonic
    bench.engine.clock.monotonic = lambda: bench.clock.__dict__.__setitem__("time", real() + 0.001) or real()
    beside = asyncio.create_task(other())
    await bench.run(workflow(*(echo(f"s{i}") for i in range(1000))))
    flat = len(turns)
    await bench.run(workflow(flow("l", "loop", {"over": [0] * 500, "body": [echo("x")]})))
    beside.cancel()
    assert flat > 10
    assert len(turns) > flat + 50


async def test_events_do_not_pile_up_in_a_run_that_never_waits(make_bench):
    commits = []

    class Counting(MemoryStorage):
        async def commit(self, batch):
            commits.extend(len(commit.events) for commit in batch)
            await super().commit(batch)

    bench = await make_bench(Counting())
    await bench.run(workflow(flow("l", "loop", {"over": [0] * 1000, "body": [echo("x")]})))
    await bench.run(workflow(*(echo(f"s{i}") for i in range(2000))))
    assert max(commits) < 1000


# ---- its life --------------------------------------------------------------------------------


class Part:
    """A service, and the plugin that offers it."""

    def __init__(self, name, happened, fails=False):
        self.name, self.happened, self.fails = name, happened, fails

    async def start(self):
        self.happened.append(f"start {self.name}")

    async def stop(self):
        self.happened.append(f"stop {self.name}")

    @hookimpl
    def opcode_services(self, engine):
        assert isinstance(engine, Engine)
        return [self]


async def test_services_start_in_order_and_stop_in_reverse():
    happened = []

    class Storage(MemoryStorage):
        async def open(self):
            happened.append("open")

        async def close(self):
            happened.append("close")

    plugins = PluginManager(discover=False)
    for name in "ab":
        plugins.register(Part(name, happened), name)
    async with Engine(Storage(), plugins):
        happened.append("up")
    starts = [one for one in happened if one.startswith("start")]
    assert happened[0] == "open"
    assert happened[-1] == "close"
    assert happened[-3:-1] == [one.replace("start", "stop") for one in reversed(starts)]


async def test_shutting_down_lets_steps_end_within_the_grace_and_begins_none(bench):
    run_id = await bench.start(workflow(gate("a"), echo("b", after="a")))
    await bench.lab.reached("a")
    stopping = asyncio.create_task(bench.engine.shut_down(grace=10))
    await bench.settle()
    bench.lab.open("a")
    await stopping
    state = await bench.engine.state(run_id)
    assert (state.status, state.steps["a"].status, "b" in state.steps) == ("active", "completed", False)
    await bench.engine.start_up()
    assert (await bench.wait(run_id)).output == {"b": "b"}


async def test_what_does_not_end_within_the_grace_stays_where_it_is(bench):
    run_id = await bench.start(workflow(gate("a"), echo("b", after="a")))
    waiting = asyncio.create_task(bench.engine.wait(run_id))
    await bench.lab.reached("a")
    await bench.engine.shut_down(grace=0.01)
    assert bench.lab.outcome == {"a": "cancelled"}
    state = await bench.engine.state(run_id)
    assert (state.status, state.steps["a"].status) == ("active", "running")
    assert (await waiting).status == "active"


async def test_the_defaults_need_no_plugin():
    async with Engine(MemoryStorage(), PluginManager(discover=False)) as engine:
        assert engine.registry.actions == {}
        assert "memory" in engine.registry.storages


def test_ids_sort_by_time_and_differ():
    ids = RandomIds()
    made = [ids.new() for _ in range(100)]
    assert len(set(made)) == 100
    assert {len(one) for one in made} == {32}
    assert [one[:12] for one in made] == sorted(one[:12] for one in made)
    assert all(0 <= ids.fraction() < 1 for _ in range(100))


async def test_the_real_clock():
    clock = SystemClock()
    before, monotonic = clock.now(), clock.monotonic()
    await clock.sleep(0)
    assert clock.now() >= before
    assert clock.monotonic() >= monotonic
