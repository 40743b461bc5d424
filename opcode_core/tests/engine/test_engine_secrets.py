"""Secrets: read at the moment of the call, shown nowhere."""

import logging

import pytest
from engine_workbench import echo, for_each, gate, step, workflow

from opcode_core import ActionContext, ErrorCode, OpcodeError, action, dumps, hookimpl

SECRET = 'p4ss"word\\ü'


class Vault:
    def __init__(self):
        self.values = {"KEY": SECRET, "OTHER": "0th3r"}
        self.asked = []

    async def get(self, key):
        self.asked.append(key)
        if key not in self.values:
            raise OpcodeError(ErrorCode.NOT_FOUND, f"there is no secret '{key}'")
        if isinstance(self.values[key], Exception):
            raise self.values[key]
        return self.values[key]

    @hookimpl
    def opcode_vaults(self):
        return [self]

    @hookimpl
    def opcode_actions(self):
        @action("s.leak", effect="idempotent")
        async def leak(how: str, secret: str, ctx: ActionContext) -> object:
            """Tries to get the secret out."""
            self.seen = secret
            match how:
                case "echo":
                    return {"inner": [f"<{secret}>", {secret: 1}], "whole": secret}
                case "error":
                    raise OpcodeError(ErrorCode.NOT_FOUND, f"no {secret}", details={"at": [secret]})
                case "exception":
                    raise ValueError(f"bad {secret}")
                case "event":
                    await ctx.run.emit("custom", {"token": secret, secret: "key"})
                case "context":
                    await ctx.run.update_context({"token": f"Bearer {secret}"})
                case "log":
                    ctx.logger.warning("using %s", secret, extra={"fields": {"token": secret}})
                    ctx.logger.warning(f"again {secret}")
                    ctx.logger.debug("never made")
                case "notify":
                    await ctx.run.notify(f"it is {secret}", {"token": secret})
                case "child":
                    await ctx.run.start_run("child", None, {"token": secret})
                case "evaluate":
                    return await ctx.run.evaluate("cel", "data + '!'", secret)
            return None

        return [leak]


@pytest.fixture
async def bench(make_bench):
    vault = Vault()
    made = await make_bench(plugins=(vault,))
    made.vault = vault
    yield made
    written = dumps(
        [list(event) for run in made.engine.driven for event in await made.engine.log(run.state.id)]
    )
    rows = dumps([[run.state.output, run.state.error, run.state.context] for run in made.engine.driven])
    for value in (SECRET, "0th3r"):
        assert dumps(value)[1:-1] not in written + rows


def leak(how, **fields):
    return step("a", "s.leak", {"how": how, "secret": "${{secrets.KEY}}"}, **fields)


async def test_the_action_gets_the_value_and_everybody_else_gets_stars(bench):
    state = await bench.run(workflow(leak("echo"), echo("b", "${{steps.a.output.whole}}", after="a")))
    assert bench.vault.seen == SECRET
    assert state.steps["a"].output == {"inner": ["<***>", {"***": 1}], "whole": "***"}
    assert state.output == {"b": "***"}


@pytest.mark.parametrize("how", ["error", "exception"])
async def test_an_error_shows_stars(bench, how):
    state = await bench.run(workflow(leak(how, retry={"max": 1})))
    assert "***" in state.error["message"]
    if how == "error":
        assert state.error["details"] == {"at": ["***"]}


async def test_params_that_do_not_fit_show_stars(bench):
    state = await bench.run(workflow(step("a", "t.typed", {"n": "${{secrets.KEY}}"})))
    assert state.error["code"] == "VALIDATION_ERROR"
    assert "***" in state.error["message"]


async def test_events_and_context_show_stars(bench):
    first = await bench.run(workflow(leak("event")))
    assert (await bench.events(first, "custom"))[0].payload == {"token": "***", "***": "key"}
    second = await bench.run(workflow(leak("context")))
    assert second.context == {"token": "Bearer ***"}


async def test_another_runs_context_shows_stars(bench):
    other = await bench.start(workflow(gate("g")))
    params = {"data": {"token": "${{secrets.KEY}}"}, "run": other}
    await bench.run(workflow(step("r", "t.remember", params)))
    assert (await bench.engine.state(other)).context == {"token": "***"}
    bench.lab.open("g")
    await bench.wait(other)


async def test_log_lines_show_stars(bench, caplog):
    caplog.set_level(logging.INFO, "opcode.action")
    await bench.run(workflow(leak("log")))
    records = [record for record in caplog.records if record.name == "opcode.action"]
    assert [record.getMessage() for record in records] == ["using ***", "again ***"]
    assert (records[0].fields, records[0].step_id) == ({"token": "***"}, "a")
    assert SECRET not in caplog.text


async def test_a_notification_shows_stars(bench):
    told = []

    async def notifier(*what):
        told.append(what)
        return True

    bench.engine.notifier = notifier
    await bench.run(workflow(leak("notify")))
    assert told == [("local", "it is ***", {"token": "***"})]


async def test_an_evaluation_shows_stars(bench):
    assert (await bench.run(workflow(leak("evaluate")))).output == {"a": "***!"}


async def test_a_secret_is_not_handed_to_another_run(bench):
    await bench.engine.define("child", workflow(echo("c")))
    state = await bench.run(workflow(leak("child")))
    assert state.error["code"] == "VALIDATION_ERROR"
    assert "let that run read ${{secrets.NAME}} itself" in state.error["message"]


async def test_secrets_are_read_late_and_only_for_those_who_need_them(bench):
    run_id = await bench.start(workflow(gate("g"), leak("echo", after="g"), echo("n")))
    await bench.lab.reached("g")
    assert bench.vault.asked == []
    bench.lab.open("g")
    await bench.wait(run_id)
    assert bench.vault.asked == ["KEY"]


async def test_a_secret_that_is_skipped_is_not_read(bench):
    await bench.run(workflow(leak("echo", condition="false")))
    assert bench.vault.asked == []


async def test_each_try_reads_the_secret_anew(bench):
    bench.vault.values["KEY"] = OpcodeError(ErrorCode.VAULT_ERROR, "locked")
    state = await bench.run(workflow(leak("echo", retry={"max": 2})))
    assert state.error["details"]["cause"]["code"] == "VAULT_ERROR"
    assert bench.vault.asked == ["KEY"] * 3


async def test_a_secret_that_does_not_exist_fails_the_step(bench):
    state = await bench.run(workflow(echo("a", "${{secrets.NONE}}")))
    assert (state.error["code"], state.error["step_id"]) == ("NOT_FOUND", "a")


async def test_a_vault_that_breaks_fails_the_step_only(bench):
    bench.vault.values["KEY"] = RuntimeError("the file is gone")
    state = await bench.run(workflow(leak("echo", on_error={"strategy": "ignore"}), echo("b", after="a")))
    assert state.output == {"b": "b"}
    assert state.steps["a"].error["message"] == "step 'a' raised RuntimeError: the file is gone"


async def test_a_secret_inside_a_text_and_several_at_once(bench):
    state = await bench.run(
        workflow(echo("a", ["Bearer ${{secrets.KEY}}", "${{secrets.OTHER}}${{inputs.x}}"])), {"x": 1}
    )
    assert state.output == {"a": ["Bearer ***", "***1"]}


async def test_a_secret_that_looks_like_a_template_stays_a_text(bench):
    bench.vault.values["KEY"] = "${{inputs.x}}}}"
    await bench.run(workflow(leak("echo")), {"x": "no"})
    assert bench.vault.seen == "${{inputs.x}}}}"


async def test_an_empty_secret_hides_nothing(bench):
    bench.vault.values["KEY"] = ""
    assert (await bench.run(workflow(leak("echo")))).steps["a"].output["whole"] == ""


async def test_a_secret_as_the_default_of_an_input(bench):
    reading = workflow(
        step("a", "s.leak", {"how": "echo", "secret": "${{inputs.token}}"}),
        inputs={"token": "T-${{secrets.KEY}}"},
    )
    state = await bench.run(reading)
    assert bench.vault.seen == f"T-{SECRET}"
    assert state.steps["a"].output["whole"] == "T-***"
    assert "token" not in state.inputs
    bench.vault.asked.clear()
    await bench.run(reading, {"token": "given"})
    assert (bench.vault.seen, bench.vault.asked) == ("given", [])


async def test_a_secret_inside_a_loop(bench):
    body = step("x", "s.leak", {"how": "echo", "secret": "${{secrets.KEY}}"})
    state = await bench.run(workflow(for_each("l", [1, 2], body)))
    assert [result["whole"] for result in state.output["l"]["results"]] == ["***", "***"]


async def test_secrets_go_nowhere_but_into_params(bench):
    for definition in (
        workflow(echo("a"), output={"x": "${{secrets.KEY}}"}),
        workflow(for_each("l", "${{secrets.KEY}}", echo("a"))),
        workflow(echo("a", "${{ secrets.KEY + 'x' }}")),
    ):
        with pytest.raises(OpcodeError, match="secret"):
            await bench.run(definition)


async def test_without_a_vault_the_step_fails_and_says_what_to_do(make_bench):
    bench = await make_bench()
    state = await bench.run(workflow(echo("a", "${{secrets.KEY}}")))
    assert (state.error["code"], state.error["step_id"]) == ("VAULT_ERROR", "a")
    assert "'KEY'" in state.error["message"]
    assert "opcode-vault" in state.error["message"]
