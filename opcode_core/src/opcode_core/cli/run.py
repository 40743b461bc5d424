"""`opcode run`."""

import asyncio
import signal
from typing import Any

import click

from opcode_core.cli.driving import Driver
from opcode_core.cli.interrupts import interrupts
from opcode_core.cli.outcome import Outcome, outcome, report
from opcode_core.cli.problems import Usage, say, say_warnings
from opcode_core.cli.screen import print_json
from opcode_core.cli.server import begin, running, stored_events
from opcode_core.cli.session import JSON, MEMORY, driving, engine, how_to_get, lasting_storage
from opcode_core.cli.sources import read_params, read_source
from opcode_core.plan import Plan
from opcode_core.runfile import Running


@click.command("run")
@click.argument("workflow", metavar="FILE|TEMPLATE")
@click.option(
    "-p",
    "--param",
    "pairs",
    multiple=True,
    metavar="KEY=VALUE",
    help="An input; JSON where it is JSON, @FILE for a file's text.",
)
@click.option("--params", "params_file", metavar="FILE", help="All inputs as a JSON object.")
@click.option("--version", "version", help="Of the template; the newest by default.")
@click.option("--agent", default="local", show_default=True, help="Whose run it is.")
@click.option("--timeout", metavar="TIME", help="Cancel the run when it takes longer, as 90s or 1h30m.")
@click.option("--no-store", is_flag=True, help="Remember nothing: the run lives in memory only.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@JSON
def command(
    workflow: str,
    pairs: tuple[str, ...],
    params_file: str | None,
    version: str | None,
    agent: str,
    timeout: str | None,
    no_store: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Run a workflow from FILE (- for standard input) or a stored TEMPLATE.

    Progress goes to standard error, the run's output to standard output.
    """
    if workflow == "-" and params_file == "-":
        raise Usage("standard input cannot be both the workflow and its --params")
    seconds = _seconds(timeout)
    params = read_params(pairs, params_file)
    source = read_source(workflow)
    url = _storage(no_store=no_store, is_template=source is None)
    server = None if url == MEMORY else running()
    if server is None:
        work = _run(url, workflow, source, params, seconds, quiet=quiet, version=version, agent_id=agent)
    else:
        work = _run_there(
            server, workflow, source, params, seconds, quiet=quiet, version=version, agent_id=agent
        )
    came = asyncio.run(work)
    if as_json:
        print_json(came.answer)
    else:
        report(came, stored=url != MEMORY, quiet=quiet)
    return came.exit_code


def _seconds(timeout: str | None) -> float | None:
    from opcode_core.durations import parse_duration

    try:
        return None if timeout is None else parse_duration(timeout)
    except ValueError as error:
        raise Usage(f"--timeout: {error}") from None


def _storage(*, no_store: bool, is_template: bool) -> str | None:
    """Where the run is remembered; None lets the session say that there is no storage."""
    if no_store and is_template:
        raise Usage("a template comes from the storage, so it cannot be run with --no-store")
    if no_store:
        return MEMORY
    url = lasting_storage()
    if url is None and not is_template:
        say(f"this run is not stored: no storage is installed ({how_to_get('sql')})")
        return MEMORY
    return url


async def _run(
    url: str | None,
    workflow: str,
    source: bytes | None,
    params: dict[str, Any],
    seconds: float | None,
    *,
    quiet: bool,
    **options: Any,
) -> Outcome:
    """Run it until it ends, or somebody has to say something."""
    from opcode_core.state import RunState

    async with driving(url) as ready:
        if source is None:
            template = await ready.template(workflow, options["version"])
            title, plan = f"{template.name} v{template.version}", await ready.plan(template.definition)
            what: Plan | str = workflow
        else:
            title = "(standard input)" if workflow == "-" else workflow
            what = plan = await ready.plan(source)
            options["name"] = title
        say_warnings(plan.warnings)
        with interrupts() as first:
            driver = Driver(ready, first, cancel_on=(signal.SIGINT,), seconds=seconds, quiet=quiet)
            async with ready.hub.subscribe() as events:
                run_id = await ready.start(what, params, **options)
                seen = await driver.see(events, title, plan, RunState(run_id))
            return await outcome(ready, seen)


async def _run_there(
    server: Running,
    workflow: str,
    source: bytes | None,
    params: dict[str, Any],
    seconds: float | None,
    *,
    quiet: bool,
    version: str | None,
    agent_id: str,
) -> Outcome:
    """Let the running server do it, and look on; it goes on there when this command is told to end."""
    from opcode_core.folding import fold

    async with engine() as ready:
        begun = await begin(server, workflow, source, params, version=version, agent_id=agent_id)
        state = fold(begun, await ready.log(begun))
        plan = await ready.plan_of(state)
        say_warnings(plan.warnings)
        with interrupts() as first:
            driver = Driver(ready, first, cancel_on=(signal.SIGINT,), seconds=seconds, quiet=quiet)
            events = stored_events(ready.storage, begun, state.sequence)
            seen = await driver.see(events, state.name or begun, plan, state)
        return await outcome(ready, seen)
