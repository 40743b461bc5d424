"""A time is fired once, whoever dies when, and what was missed is treated as its job says."""

import asyncio
from dataclasses import replace

import pytest
from schedule_lab import DONE, START, HeldClock, Lab, engine_on, lab, times_of_runs, until

from opcode_core import ErrorCode, OpcodeError
from opcode_core.memory import MemoryStorage
from opcode_scheduler.firing import MOST_MISSED, TAKEOVER, set_right
from opcode_scheduler.job import Claim, job_answer


async def test_a_time_is_fired_when_it_has_come_and_not_before():
    async with lab() as one:
        await one.job("*/5 * * * *", params={"x": 1})
        one.clock.advance(299)
        assert (await one.tend()).recent == ()
        one.clock.advance(1)
        job = await one.tend(3)
        assert await one.times() == ["2026-01-01T00:05:00Z"]
        assert (job.last.time, job.last.started_at, job.last.status) == (
            START + 300,
            START + 300,
            "completed",
        )
        assert job.next_run_at == START + 600
        run = await one.storage.run(job.last.run_id)
        assert (run.agent_id, run.template_version) == ("ada", "v1")
        assert (await one.engine.state(run.id)).inputs == {"x": 1}


@pytest.mark.parametrize(
    ("catchup", "expected"),
    [
        ("one", ["2026-01-01T00:25:00Z"]),
        ("none", []),
        ("all", [f"2026-01-01T00:{minute:02}:00Z" for minute in (5, 10, 15, 20, 25)]),
    ],
)
async def test_times_that_were_missed(catchup, expected):
    async with lab() as one:
        await one.job("*/5 * * * *", catchup=catchup)
        one.clock.advance(1790 - 120)
        job = await one.tend(10)
        assert await one.times() == expected
        assert job.next_run_at == START + 1800
        one.clock.advance(130)
        await one.tend(3)
        assert await one.times() == [*expected, "2026-01-01T00:30:00Z"]


async def test_none_still_fires_a_time_that_is_only_a_little_late():
    async with lab() as one:
        await one.job("*/5 * * * *", catchup="none")
        one.clock.advance(600 + 59)
        await one.tend(3)
        assert await one.times() == ["2026-01-01T00:10:00Z"]


async def test_all_is_bounded_and_keeps_the_newest():
    async with lab() as one:
        await one.job("* * * * *", catchup="all")
        one.clock.advance(3 * 86400)
        await one.tend(MOST_MISSED + 5)
        times = await one.times()
        assert len(times) == MOST_MISSED
        assert times[-1] == "2026-01-04T00:00:00Z"
        assert times[0] == "2026-01-03T22:21:00Z"


@pytest.mark.parametrize(
    ("catchup", "after"),
    [
        ("one", ["2026-01-01T00:20:00Z"]),
        ("none", []),
        ("all", [f"2026-01-01T00:{minute}:00Z" for minute in (10, 15, 20)]),
    ],
)
async def test_a_job_never_overlaps_itself(catchup, after):
    async with lab() as one:
        await one.job("*/5 * * * *", template="ask", catchup=catchup)
        one.clock.advance(300)
        first = (await one.tend()).last.run_id
        one.clock.advance(17 * 60)
        job = await one.tend(3)
        assert job_answer(job, one.clock.now())["waits_for"] == first
        assert await one.times() == ["2026-01-01T00:05:00Z"]
        while job.goes_on:
            await one.engine.signal(job.goes_on, "decision", {"choice": "yes"})
            await one.engine.wait(job.goes_on)
            job = await one.tend()
        assert await one.times() == ["2026-01-01T00:05:00Z", *after]
        assert job.next_run_at == START + 25 * 60


async def test_a_run_that_was_deleted_holds_up_nothing():
    async with lab() as one:
        job = await one.job(template="ask")
        one.clock.advance(60)
        job = await one.tend()
        stored, version = await one.firing.shelf.find("j")
        gone = replace(stored, recent=(replace(stored.last, run_id="gone"),))
        assert await one.firing.shelf.replace(gone, version, START)
        one.clock.advance(60)
        job = await one.tend(2)
        assert [past.status for past in job.recent] == ["suspended", "deleted"]


class Dying:
    """A storage whose process dies before or after the write with that number: nothing of it goes on then."""

    def __init__(self, storage, at, after):
        self._storage = storage
        self.left = at
        self.after = after
        self.died = asyncio.Event()

    def __getattr__(self, name):
        real = getattr(self._storage, name)

        async def call(*args, **kwargs):
            if name in ("put", "commit"):
                self.left -= 1
            if self.left < 0:
                if self.after and not self.died.is_set():
                    await real(*args, **kwargs)
                self.died.set()
                await asyncio.Event().wait()
            return await real(*args, **kwargs)

        return call


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("writes", range(5))
@pytest.mark.parametrize("catchup", ["one", "all"])
async def test_a_process_that_dies_at_any_write_fires_no_time_twice_and_loses_none(writes, after, catchup):
    storage, clock = MemoryStorage(), HeldClock()
    async with lab(storage, clock) as one:
        await one.job("*/10 * * * *", catchup=catchup)
    await storage.open()
    clock.advance(601)
    dying = Dying(storage, writes, after)
    life = asyncio.create_task(Lab(engine_on(dying, clock, "dying")).tend(3))
    died = asyncio.create_task(dying.died.wait())
    await asyncio.wait({life, died}, return_when=asyncio.FIRST_COMPLETED, timeout=10)
    assert life.done() != died.done()
    for task in (life, died):
        task.cancel()
    clock.advance(600)
    async with lab(storage, clock, owner="next", others=True) as other:
        clock.advance(TAKEOVER)

        async def is_done():
            job = await other.tend()
            return job.claim is None and not job.goes_on and job.next_run_at > clock.now()

        await until(is_done)
        times = await other.times()
        assert len(set(times)) == len(times)
        assert "2026-01-01T00:20:00Z" in times
        assert set(times) <= {"2026-01-01T00:10:00Z", "2026-01-01T00:20:00Z"}
        assert catchup == "one" or len(times) == 2
        recent = (await other.schedules.one("j")).recent
        assert len({past.run_id for past in recent}) == len(recent) == len(times)


async def test_many_who_see_the_same_time_fire_it_once():
    storage, clock = MemoryStorage(), HeldClock()
    async with lab(storage, clock) as one:
        await one.job()
        others = [Lab(engine_on(storage, clock, f"p{number}")) for number in range(8)]
        for minute in range(1, 6):
            clock.advance(60)
            jobs = await asyncio.gather(*(other.firing.tend("j") for other in [one, *others]))
            clock.advance(TAKEOVER)
            await one.tend(2)
            clock.advance(-TAKEOVER)
            assert any(job is not None and job.recent for job in jobs)
            assert len(await times_of_runs(storage)) == minute
        for other in others:
            await other.engine.runs.shut_down(1.0)


async def test_a_claim_of_another_process_is_left_to_it_for_a_while():
    async with lab() as one:
        job = await one.job()
        claim = Claim("schedule:j:then", START, "bob", "another", START)
        assert await one.firing.shelf.replace(replace(job, claim=claim), 1, START)
        one.clock.advance(TAKEOVER - 1)
        assert (await one.tend()).claim == claim
        one.clock.advance(1)
        job = await one.tend()
        assert job.claim is None
        run = await one.storage.run(job.last.run_id)
        assert (run.agent_id, run.idempotency_key) == ("bob", "schedule:j:then")


async def test_what_cannot_be_started_is_noted_and_the_next_time_comes():
    async with lab() as one:
        await one.job()
        schema = {"type": "object", "required": ["who"]}
        await one.engine.define("done", DONE, input_schema=schema)
        one.clock.advance(60)
        job = await one.tend(2)
        assert (job.last.status, job.last.run_id) == ("failed", None)
        assert "who" in job.last.error
        assert job.next_run_at == START + 120
        await one.engine.define("done", DONE)
        one.clock.advance(60)
        assert (await one.tend(2)).last.status == "completed"


async def test_a_storage_that_fails_loses_no_time():
    storage, clock = MemoryStorage(), HeldClock()
    async with lab(storage, clock) as one:
        await one.job()
        clock.advance(60)
        real = one.engine.start

        async def failing(*args, **kwargs):
            raise OpcodeError(ErrorCode.STORE_ERROR, "disk full")

        one.engine.start = failing
        with pytest.raises(OpcodeError, match="disk full"):
            await one.firing.tend("j")
        one.engine.start = real
        assert (await one.tend()).last.status == "completed"
        assert await one.times() == ["2026-01-01T00:01:00Z"]


async def test_run_now_leaves_the_times_as_they_are_and_never_overlaps():
    async with lab() as one:
        before = await one.job("0 * * * *", template="ask", enabled=False)
        run_id = await one.schedules.run_now("j")
        with pytest.raises(OpcodeError) as refused:
            await one.schedules.run_now("j")
        assert refused.value.code is ErrorCode.CONFLICT
        assert run_id in refused.value.message
        await one.engine.signal(run_id, "decision", {"choice": "yes"})
        await one.engine.wait(run_id)
        assert await one.schedules.run_now("j") != run_id
        assert (await one.schedules.one("j")).next_run_at == before.next_run_at
        assert len((await one.schedules.one("j")).recent) == 2


async def test_what_was_due_while_it_was_disabled_is_not_missed():
    async with lab() as one:
        await one.job()
        assert (await one.schedules.edit("j", {"enabled": False})).next_run_at is None
        one.clock.advance(3600)
        await one.tend(2)
        assert (await one.schedules.edit("j", {"enabled": True})).next_run_at == START + 3660
        await one.tend(2)
        assert await one.times() == []


async def test_an_edit_keeps_what_is_due_unless_the_times_change():
    async with lab() as one:
        await one.job()
        one.clock.advance(60)
        assert (await one.schedules.edit("j", {"params": {"a": 1}})).next_run_at == START + 60
        assert (await one.schedules.edit("j", {"timezone": "Asia/Kolkata"})).next_run_at == START + 120


async def test_a_clock_that_is_set_back_a_little_fires_nothing_again():
    async with lab() as one:
        await one.job()
        one.clock.advance(600)
        await one.tend(2)
        one.clock.advance(-590)
        for _ in range(9):
            one.clock.advance(60)
            job = await one.tend()
        assert len(await one.times()) == 1
        assert set_right(job, one.clock.now()) == job


async def test_a_clock_that_was_years_ahead_does_not_stop_a_job():
    async with lab(clock=HeldClock(START + 5 * 365 * 86400)) as one:
        await one.job()
        one.clock.advance(60)
        job = await one.tend(2)
        one.clock.time = START
        assert set_right(job, START).next_run_at == START + 60


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"cron_expression": "61 * * * *"}, "cron_expression: '61 * * * *': minute: 61 is not 0 to 59"),
        ({"cron_expression": "0 0 31 2 *"}, "never comes true"),
        ({"timezone": "Mars/Base"}, "timezone: there is no time zone"),
        ({"template_name": "don"}, "did you mean 'done'"),
        ({"template_version": "v9"}, "has no version v9"),
        ({"catchup": "some"}, "catchup"),
        ({"params": [1]}, "params"),
        ({"id": "../x"}, "id"),
        ({"id": "cron-x"}, "those of triggers"),
        ({"surprise": 1}, "surprise"),
        ({"agent_id": ""}, "agent_id"),
    ],
)
async def test_a_wish_that_cannot_be_is_refused(wish, said):
    async with lab() as one:
        with pytest.raises(OpcodeError, match=".*" + said.replace("(", r"\(").replace("*", r"\*")):
            await one.job(
                **{
                    (
                        "cron" if key == "cron_expression" else "template" if key == "template_name" else key
                    ): value
                    for key, value in wish.items()
                }
            )
        assert await one.schedules.all() == []


async def test_params_are_checked_before_the_first_time():
    async with lab() as one:
        await one.engine.define("done", DONE, input_schema={"properties": {"n": {"type": "integer"}}})
        with pytest.raises(OpcodeError, match="params"):
            await one.job(params={"n": "many"})


async def test_an_id_is_taken_once():
    async with lab() as one:
        await one.job()
        with pytest.raises(OpcodeError, match="there is already a schedule 'j'"):
            await one.job()
        with pytest.raises(OpcodeError, match="did you mean 'j'|opcode schedule list"):
            await one.schedules.one("jj")
