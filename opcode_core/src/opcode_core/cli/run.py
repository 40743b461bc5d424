"""`opcode run`."""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import click

from opcode_core.cli.problems import DONE, FAILED, SUSPENDED, Usage, say, say_warnings
from opcode_core.cli.screen import print_json
from opcode_core.cli.session import JSON, MEMORY, engine, how_to_get, lasting_storage
from opcode_core.cli.sources import read_params, read_source
from opcode_core.engine.engine import Engine
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.events import Event
from opcode_core.plan import Plan
from opcode_core.state import COMPLETED, RUN_ENDED, RunState
from opcode_core.state import SUSPENDED as IS_SUSPENDED

EXIT = {COMPLETED: DONE, IS_SUSPENDED: SUSPENDED}


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
    state, answer = asyncio.run(
        _run(url, workflow, source, params, seconds, quiet=quiet, version=version, agent_id=agent)
    )
    if as_json:
        print_json(answer)
    else:
        _report(state, stored=url != MEMORY, quiet=quiet)
    return EXIT.get(state.status, FAILED)


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
) -> tuple[RunState, dict[str, Any]]:
    """Run it to its end, and give how it ended, as a state and as JSON."""
    from opcode_core.answers import run_answer

    async with engine(url) as ready:
        if source is None:
            template = await ready.template(workflow, options["version"])
            title, plan = f"{template.name} v{template.version}", ready.plan(template.definition)
            what: Plan | str = workflow
        else:
            title = "(standard input)" if workflow == "-" else workflow
            what = plan = ready.plan(source)
            options["name"] = title
        say_warnings(plan.warnings)
        if quiet:
            state = await _ended(ready, await ready.start(what, params, **options), seconds)
        else:
            state = await _shown(ready, title, plan, seconds, what, params, **options)
        return state, run_answer(state, plan)


async def _shown(
    ready: Engine,
    title: str,
    plan: Plan,
    seconds: float | None,
    what: Plan | str,
    params: dict[str, Any],
    **options: Any,
) -> RunState:
    """Start the run and show it until it ends."""
    from opcode_core.cli.progress import Progress, progress

    async def follow(events: AsyncIterator[Event], run_id: str, shown: Progress) -> None:
        async for event in events:
            if event.workflow_id == run_id:
                shown.show(event)
                if event.event_type.removeprefix("workflow_") in RUN_ENDED:
                    return

    async with ready.hub.subscribe() as events:
        run_id = await ready.start(what, params, **options)
        async with progress(run_id, title, plan) as shown:
            following = asyncio.create_task(follow(events, run_id, shown))
            try:
                state = await _ended(ready, run_id, seconds)
                await asyncio.wait({following}, timeout=1.0)
            finally:
                following.cancel()
            shown.finish(state)
    return state


async def _ended(ready: Engine, run_id: str, seconds: float | None) -> RunState:
    """The run's last state; an interrupt, or the end of its time, cancels it in good order."""
    try:
        state = await ready.wait(run_id, seconds)
    except asyncio.CancelledError:
        say(f"stopping run {run_id} …")
        return await _cancelled(ready, run_id, "interrupted")
    if seconds is None or state.ended or state.status == IS_SUSPENDED:
        return state
    return await _cancelled(ready, run_id, f"it took longer than --timeout {seconds:g} s")


async def _cancelled(ready: Engine, run_id: str, reason: str) -> RunState:
    try:
        return await ready.cancel(run_id, reason)
    except OpcodeError as error:
        if error.code is not ErrorCode.INVALID_TRANSITION:
            raise
        return await ready.state(run_id)  # it had ended by itself in the same moment


def _report(state: RunState, *, stored: bool, quiet: bool) -> None:
    from opcode_core.answers import error_answer

    if state.status == COMPLETED:
        print_json(state.output)
        sys.stdout.flush()  # before what follows on standard error
    if state.error is not None:
        say(error_answer(state.error))
    if state.status == IS_SUSPENDED:
        waiting = [step_id for step_id, step in state.steps.items() if step.status == IS_SUSPENDED]
        say(f"run {state.id} is suspended" + (f"; it waits in step {', '.join(waiting)}" if waiting else ""))
    if stored and not quiet:
        print(f"look again: opcode status {state.id}", file=sys.stderr)
        print(f"            opcode diagram {state.id}", file=sys.stderr)
