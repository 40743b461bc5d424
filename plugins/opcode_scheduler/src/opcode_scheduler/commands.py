"""`opcode schedule`."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from opcode_core import loads
from opcode_core.hosting import JSON, Usage, print_json

if TYPE_CHECKING:
    from opcode_scheduler.job import Job
    from opcode_scheduler.schedules import Schedules

CATCHUP = click.Choice(["one", "all", "none"])

_template = click.argument("template")
_id = click.argument("job_id", metavar="ID")


def _when(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `add` and `edit`."""
    for option in (
        click.option(
            "-p", "--param", "pairs", multiple=True, metavar="KEY=VALUE", help="A param of its runs."
        ),
        click.option("--params-file", metavar="FILE", help="A JSON object of params."),
        click.option("--timezone", metavar="ZONE", help="As Europe/Paris; UTC by default."),
        click.option("--catchup", type=CATCHUP, help="Runs for times that were missed; one by default."),
        click.option("--agent", "agent_id", help="Whose its runs are; local by default."),
        click.option(
            "--version", "template_version", metavar="VERSION", help="Of the template; the newest by default."
        ),
    ):
        command = option(command)
    return command


@click.group("schedule", short_help="Run templates at times: list, add, edit, enable, run now.")
def command() -> None:
    """Run templates at times. A running server fires them; times are those of cron: minute, hour, day, month, weekday."""


@command.command("list")
@JSON
def list_(as_json: bool) -> int:
    """All schedules, those that run next first."""
    jobs = _answers(lambda schedules: schedules.all())
    if as_json:
        print_json({"schedules": jobs})
        return 0
    for job in jobs:
        click.echo(_line(job))
    if not jobs:
        click.echo("no schedules", err=True)
    return 0


@command.command("show")
@_id
@JSON
def show(job_id: str, as_json: bool) -> int:
    """One schedule, its last runs, its next times."""
    answer = _done(_shown(job_id, 5))
    if as_json:
        print_json(answer)
        return 0
    for name, value in answer.items():
        if name not in ("next_times", "history") and value not in (None, {}):
            click.echo(f"{name:17} {value}")
    for time in answer["next_times"]:
        click.echo(f"{'next':17} {time}")
    for past in answer["history"]:
        about = past["error"] or past["workflow_id"]
        click.echo(f"{'ran':17} {past['started_at']}  {past['status']:9}  {about}")
    return 0


@command.command("add")
@_template
@click.argument("cron_expression", metavar="CRON")
@_when
@click.option("--id", "job_id", help="A name of your own; a random one by default.")
@click.option("--disabled", is_flag=True, help="Not before it is enabled.")
@JSON
def add(template: str, job_id: str | None, disabled: bool, as_json: bool, **given: Any) -> int:
    """Run TEMPLATE at the times of CRON, as `opcode schedule add report "0 9 * * 1-5"`."""
    wish = {"template_name": template, "agent_id": "local", **_wish(given), "enabled": not disabled}
    if job_id is not None:
        wish["id"] = job_id
    answer = _answer(lambda schedules: schedules.create(wish))
    return _say(answer, as_json, f"{answer['id']} runs next at {answer['next_run_at'] or '(it is disabled)'}")


@command.command("edit")
@_id
@click.option("--cron", "cron_expression", metavar="CRON", help="Its times.")
@_when
@JSON
def edit(job_id: str, as_json: bool, **given: Any) -> int:
    """Change what is given."""
    wish = _wish(given)
    if not wish:
        raise Usage("nothing is to be changed; see `opcode schedule edit --help`")
    answer = _answer(lambda schedules: schedules.edit(job_id, wish))
    return _say(answer, as_json, f"{job_id} runs next at {answer['next_run_at'] or '(it is disabled)'}")


@command.command("enable")
@_id
@JSON
def enable(job_id: str, as_json: bool) -> int:
    """Let it run at its times again, from now on."""
    answer = _answer(lambda schedules: schedules.edit(job_id, {"enabled": True}))
    return _say(answer, as_json, f"{job_id} runs next at {answer['next_run_at']}")


@command.command("disable")
@_id
@JSON
def disable(job_id: str, as_json: bool) -> int:
    """Let it rest; what goes on goes on."""
    answer = _answer(lambda schedules: schedules.edit(job_id, {"enabled": False}))
    return _say(answer, as_json, f"{job_id} is disabled")


@command.command("delete")
@_id
@JSON
def delete(job_id: str, as_json: bool) -> int:
    """Forget it; its runs stay."""
    _done(_with_schedules(lambda schedules: schedules.remove(job_id)))
    return _say({"id": job_id, "deleted": True}, as_json, f"{job_id} is deleted")


@command.command("run")
@_id
@JSON
def run(job_id: str, as_json: bool) -> int:
    """Start a run now, beside its times: in the running server, or here until its end."""
    answer = _done(_run(job_id))
    status = f": {answer['status']}" if "status" in answer else ""
    _say(answer, as_json, f"{answer['workflow_id']}{status}")
    return {"failed": 1, "cancelled": 1, "suspended": 3}.get(answer.get("status", ""), 0)


@command.command("next")
@click.argument("job_id", metavar="ID|CRON")
@click.option("--timezone", metavar="ZONE", help="With an expression: as Europe/Paris; UTC by default.")
@click.option("--count", default=10, show_default=True, type=click.IntRange(1, 1000), help="So many.")
@JSON
def next_(job_id: str, timezone: str | None, count: int, as_json: bool) -> int:
    """The next times of a schedule, or of an expression that is only tried."""
    is_cron = " " in job_id or job_id.startswith("@")
    times = (
        _tried(job_id, timezone or "UTC", count) if is_cron else _done(_shown(job_id, count))["next_times"]
    )
    if as_json:
        print_json({"next_times": times})
        return 0
    for time in times:
        click.echo(time)
    return 0


def _tried(expression: str, timezone: str, count: int) -> list[str | None]:
    import time

    from opcode_core.hosting import iso
    from opcode_scheduler.times import times_of
    from opcode_scheduler.wishes import checked

    checked({"cron_expression": expression, "timezone": timezone})
    return [iso(at) for at in times_of(expression, timezone).following(time.time(), count)]


def _wish(given: dict[str, Any]) -> dict[str, Any]:
    """What was said, under a job's names."""
    pairs, file = given.pop("pairs"), given.pop("params_file")
    wish = {name: value for name, value in given.items() if value is not None}
    if pairs or file is not None:
        wish["params"] = {**_from_file(file), **dict(_pair(pair) for pair in pairs)}
    return wish


def _pair(text: str) -> tuple[str, Any]:
    """JSON where it is JSON, else text."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise Usage(f"--param {text!r}: write KEY=VALUE")
    try:
        return name, loads(value)
    except ValueError:
        return name, value


def _from_file(name: str | None) -> dict[str, Any]:
    if name is None:
        return {}
    try:
        found = loads(Path(name).read_bytes())
    except (OSError, ValueError) as error:
        raise Usage(f"--params-file {name}: {error}") from None
    if not isinstance(found, dict):
        raise Usage(f"--params-file {name}: it holds no JSON object")
    return found


def _answers(work: "Callable[[Schedules], Coroutine[Any, Any, list[Job]]]") -> list[dict[str, Any]]:
    from opcode_scheduler.job import job_answer

    async def answers(schedules: "Schedules") -> list[dict[str, Any]]:
        jobs = await work(schedules)
        return [job_answer(job, schedules.engine.clock.now()) for job in jobs]

    found: list[dict[str, Any]] = _done(_with_schedules(answers))
    return found


def _answer(work: "Callable[[Schedules], Coroutine[Any, Any, Job]]") -> dict[str, Any]:
    async def one(schedules: "Schedules") -> "list[Job]":
        return [await work(schedules)]

    return _answers(one)[0]


async def _shown(job_id: str, count: int) -> dict[str, Any]:
    from opcode_core.hosting import iso
    from opcode_scheduler.job import job_answer, past_answer

    async def shown(schedules: "Schedules") -> dict[str, Any]:
        job = await schedules.one(job_id)
        return {
            **job_answer(job, schedules.engine.clock.now()),
            "next_times": [iso(time) for time in schedules.next_times(job, count)],
            "history": [past_answer(past) for past in job.recent],
        }

    answer: dict[str, Any] = await _with_schedules(shown)
    return answer


async def _with_schedules(work: "Callable[[Schedules], Coroutine[Any, Any, Any]]") -> Any:
    """Done in the database; a running server is told when something has changed."""
    from opcode_core.hosting import asking_engine
    from opcode_scheduler.schedules import Schedules

    changed: list[bool] = []
    async with asking_engine() as engine:
        answer = await work(Schedules(engine, lambda: changed.append(True)))
    if changed:
        await _let_it_look()
    return answer


async def _let_it_look() -> None:
    from opcode_core import OpcodeError
    from opcode_core.hosting import ask_server, running_server, say

    server = running_server()
    if server is None:
        return
    try:
        await ask_server(server, "schedules/-/look", {})
    except OpcodeError as error:
        say(f"the server at {server.url} will notice within a minute ({error.message})")


async def _run(job_id: str) -> dict[str, Any]:
    from opcode_core.hosting import ask_server, driving_engine, running_server
    from opcode_scheduler.schedules import Schedules

    server = running_server()
    if server is not None:
        answer: dict[str, Any] = await ask_server(server, f"schedules/{quote(job_id, safe='')}/run", {})
        return answer
    async with driving_engine() as engine:
        schedules = Schedules(engine)
        run_id = await schedules.run_now(job_id)
        state = await engine.wait(run_id)
        await schedules.settle(job_id)
    return {"workflow_id": run_id, "status": state.status}


def _line(job: dict[str, Any]) -> str:
    when = job["next_run_at"] or "disabled"
    version = f" {job['template_version']}" if job["template_version"] else ""
    last = f"  last {job['last_run_status']} {job['last_run_at']}" if job["last_run_status"] else ""
    held = f"  waits for {job['waits_for']}" if job["waits_for"] else ""
    return (
        f"{job['id']:20}  {when:24}  {job['cron_expression']}  {job['timezone']}"
        f"  {job['template_name']}{version}{last}{held}"
    )


def _say(answer: dict[str, Any], as_json: bool, text: str) -> int:
    if as_json:
        print_json(answer)
    else:
        click.echo(text)
    return 0


def _done(work: Coroutine[Any, Any, Any]) -> Any:
    import asyncio  # not for `opcode --help`

    return asyncio.run(work)
