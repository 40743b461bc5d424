"""The service sleeps until the next time, hears of changes, and fires what is due."""

import asyncio

import pytest
from schedule_lab import ASK, DONE, START, HeldClock, Lab, engine_on, lab, times_of_runs, until

from opcode_core import OpcodeError, RunFilter
from opcode_core.hosting import InvalidDefinition
from opcode_core.memory import MemoryStorage


class Counting:
    """A storage that counts looks at the jobs."""

    def __init__(self):
        self._storage = MemoryStorage()
        self.looks = 0

    def __getattr__(self, name):
        if name == "items":
            self.looks += 1
        return getattr(self._storage, name)


async def fired(one, count):
    async def enough():
        return len(await one.times()) >= count

    await until(enough)


async def sleeps(one):
    """Come back when the service has done what there is to do, and sleeps."""
    service = one.engine.service("scheduler")

    async def asleep():
        return not service._again.is_set() and one.clock.now() < service._wakes_at < float("inf")

    await until(asleep)


async def test_it_fires_at_each_time_and_looks_no_more_often_than_it_must():
    async with lab(Counting(), others=True) as one:
        await one.job("*/5 * * * *")
        one.engine.service("scheduler").look()
        await sleeps(one)
        before = one.storage.looks
        for minute in range(1, 16):
            one.clock.advance(60)
            await fired(one, minute // 5)
            await sleeps(one)
        assert len(await one.times()) == 3
        assert one.storage.looks - before < 40


async def test_a_new_job_is_heard_of_at_once():
    async with lab(Counting(), others=True) as one:
        await sleeps(one)
        schedules = one.engine.service("scheduler").schedules
        await schedules.create(
            {"template_name": "done", "cron_expression": "* * * * *", "agent_id": "ada", "id": "j"}
        )
        await sleeps(one)
        one.clock.advance(60)
        await fired(one, 1)


async def test_a_job_that_another_process_made_is_seen_within_a_minute():
    storage, clock = Counting(), HeldClock(START + 1)
    async with lab(storage, clock, others=True) as one:
        await sleeps(one)
        await one.job("* * * * *")  # its service is told nothing
        clock.advance(60)
        await fired(one, 1)


async def test_a_suspended_machine_fires_what_it_missed_once():
    async with lab(Counting(), others=True) as one:
        await one.job("* * * * *")
        one.engine.service("scheduler").look()
        await sleeps(one)
        one.clock.advance(8 * 3600)
        await fired(one, 1)
        await sleeps(one)
        assert await one.times() == ["2026-01-01T08:00:00Z"]


async def test_a_time_that_its_own_run_held_up_is_fired_as_soon_as_that_ends():
    async with lab(Counting(), others=True) as one:
        await one.job("* * * * *", template="ask")
        one.engine.service("scheduler").look()
        await sleeps(one)
        one.clock.advance(60)
        await fired(one, 1)
        one.clock.advance(61)
        await sleeps(one)

        async def held():
            job = await one.schedules.one("j")
            return job.goes_on is not None and job.claim is None

        await until(held)
        first = (await one.schedules.one("j")).goes_on
        assert len(await one.times()) == 1
        await one.engine.signal(first, "decision", {"choice": "yes"})
        await fired(one, 2)  # without the clock going on
        assert (await one.times())[1] == "2026-01-01T00:02:00Z"


async def test_two_services_on_one_storage_fire_each_time_once():
    storage, clock = Counting(), HeldClock()
    async with lab(storage, clock, others=True) as one, engine_on(storage, clock, "two", others=True) as two:
        for number in range(20):
            await one.job("* * * * *", id=f"j{number}")
        one.engine.service("scheduler").look()
        two.service("scheduler").look()
        await sleeps(one)
        for minute in range(1, 6):
            clock.advance(60)
            await fired(one, 20 * minute)
            await sleeps(one)
        page = await storage.runs(RunFilter(), limit=1000)
        keys = [run.idempotency_key for run in page.items]
        assert len(keys) == len(set(keys)) == 100


async def test_an_engine_of_a_single_command_fires_nothing():
    async with lab(Counting(), others=False) as one:
        await one.job("* * * * *")
        assert not [task for task in asyncio.all_tasks() if "scheduler" in task.get_name()]


async def test_nothing_is_left_when_it_stops():
    async with lab(Counting(), others=True) as one:
        await one.job("* * * * *", template="ask")
        one.clock.advance(60)
        one.engine.service("scheduler").look()
        await fired(one, 1)
    assert {task for task in asyncio.all_tasks() if task is not asyncio.current_task()} == set()


# ---- triggers of templates -----------------------------------------------------------------------


async def define(one, triggers, definition=DONE, name="t", agent="ada"):
    await one.engine.define(name, definition, agent_id=agent, triggers=triggers)
    return sorted(
        (job.trigger, job.cron_expression, job.timezone, job.enabled)
        for job in await one.schedules.all()
        if job.template_name == name
    )


async def test_a_definition_makes_changes_and_removes_its_jobs():
    async with lab() as one:
        assert await define(one, {"cron": {"expression": "0 9 * * 1", "timezone": "Europe/Paris"}}) == [
            ("1", "0 9 * * 1", "Europe/Paris", True)
        ]
        several = {"cron": ["@daily", {"name": "often", "expression": "* * * * *", "params": {"n": 1}}]}
        assert await define(one, several) == [
            ("1", "@daily", "UTC", True),
            ("often", "* * * * *", "UTC", True),
        ]
        assert await define(one, {}) == []
        assert await define(one, None) == []


async def test_what_is_known_about_a_job_stays_when_its_template_is_defined_anew():
    async with lab() as one:
        await define(one, {"cron": "*/5 * * * *"})
        job = (await one.schedules.all())[0]
        await one.schedules.edit(job.id, {"enabled": False})
        assert await define(one, {"cron": "*/5 * * * *"}) == [("1", "*/5 * * * *", "UTC", False)]
        assert await define(one, {"cron": {"expression": "*/5 * * * *", "enabled": True}}) == [
            ("1", "*/5 * * * *", "UTC", True)
        ]
        one.clock.advance(300)
        fired_one = await one.firing.tend(job.id)
        await one.engine.wait(fired_one.goes_on)
        await define(one, {"cron": "*/10 * * * *"}, agent="bob")
        after = await one.schedules.one(job.id)
        assert (after.last.status, after.next_run_at, after.agent_id) == ("completed", START + 600, "bob")
        assert after.template_version is None


async def test_a_job_of_a_trigger_is_changed_by_its_template():
    async with lab() as one:
        await define(one, {"cron": "@daily"})
        job = (await one.schedules.all())[0]
        for change in (
            one.schedules.edit(job.id, {"cron_expression": "@hourly"}),
            one.schedules.remove(job.id),
        ):
            with pytest.raises(OpcodeError, match="comes from the triggers of the template 't'"):
                await change


@pytest.mark.parametrize(
    ("triggers", "path", "said"),
    [
        ({"cron": "61 * * * *"}, "triggers.cron", "61 is not 0 to 59"),
        ({"cron": {"expression": "0 0 31 2 *"}}, "triggers.cron.expression", "never comes true"),
        ({"cron": ["@daily", {"expression": "@daily", "timezone": "Mars"}]}, "triggers.cron[1].timezone", "no time zone"),
        ({"cron": {"timezone": "UTC"}}, "triggers.cron", "no 'expression'"),
        ({"cron": 5}, "triggers.cron", "neither"),
        ({"cron": [{"name": "a", "expression": "@daily"}, {"name": "a", "expression": "@daily"}]}, "triggers.cron[1].name", "is taken"),
        ({"cron": {"expression": "@daily", "agent_id": "eve"}}, "triggers.cron", "agent_id"),
        ({"cron": ["@daily"] * 51}, "triggers.cron", "50 at most"),
        ({"webhook": {}}, "triggers.webhook", "secret"),
        ({"webhook": {"secret": "S", "surprise": 1}}, "triggers.webhook", "surprise"),
    ],
)  # fmt: skip
async def test_triggers_that_cannot_be_are_refused_with_their_place(triggers, path, said):
    async with lab() as one:
        with pytest.raises(InvalidDefinition) as refused:
            await define(one, triggers)
        issue = refused.value.issues[0]
        assert issue.path == path
        assert said in issue.message
        assert await one.engine.storage.template("t") is None


async def test_an_unknown_trigger_is_stored_with_a_warning():
    async with lab() as one:
        _, warnings = await one.engine.define("t", DONE, triggers={"crom": "@daily", "x-mine": {}})
        assert [(warning.path, warning.hint) for warning in warnings] == [
            ("triggers.crom", "did you mean 'cron'?")
        ]


async def test_a_process_that_died_between_template_and_jobs_is_made_up_for():
    storage = MemoryStorage()
    async with lab(storage) as one:
        one.engine.registry.triggers.clear()  # it stores, and gets no further
        await one.engine.define("t", DONE, triggers={"cron": "* * * * *"})
    async with lab(storage, HeldClock(START + 10), owner="next", others=True) as one:

        async def there():
            return [job.template_name for job in await one.schedules.all()] == ["t"]

        await until(there)


async def test_definitions_at_the_same_moment_leave_the_jobs_of_the_newest():
    storage, clock = MemoryStorage(), HeldClock()
    async with lab(storage, clock) as one:
        engines = [Lab(engine_on(storage, clock, f"p{number}")) for number in range(6)]
        await asyncio.gather(
            *(
                other.engine.define("t", DONE, triggers={"cron": f"{number} * * * *"} if number % 3 else None)
                for number, other in enumerate(engines)
            )
        )
        newest = await storage.template("t")
        expected = [newest.triggers["cron"]] if newest.triggers else []
        assert [job.cron_expression for job in await one.schedules.all()] == expected


async def test_a_template_that_waits_for_a_decision_is_no_harm_to_others():
    async with lab(Counting(), others=True) as one:
        await one.engine.define("slow", ASK, triggers={"cron": "* * * * *"})
        await one.engine.define("quick", DONE, triggers={"cron": "* * * * *"})
        await sleeps(one)
        for minute in range(1, 4):
            one.clock.advance(60)
            await fired(one, minute + 1)
            await sleeps(one)
        assert len(await times_of_runs(one.storage)) == 4
