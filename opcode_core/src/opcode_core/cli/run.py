"""`opcode run`."""

import asyncio
import sys
from typing import Any

import click

from opcode_core.cli.problems import DONE, FAILED, SUSPENDED, say
from opcode_core.cli.session import JSON, engine, print_json, read_params, read_source
from opcode_core.engine.engine import Engine
from opcode_core.plan import Plan
from opcode_core.state import COMPLETED, RUN_ENDED, RunState

EXIT = {"completed": DONE, "suspended": SUSPENDED}


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
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@JSON
def command(as_json: bool, **options: Any) -> int:
    """Run a workflow from FILE (- for standard input) or a stored TEMPLATE.

    Progress goes to standard error, the run's output to standard output.
    """
    return asyncio.run(_run(as_json=as_json, **options))


async def _run(
    *,
    workflow: str,
    pairs: tuple[str, ...],
    params_file: str | None,
    version: str | None,
    agent: str,
    quiet: bool,
    as_json: bool,
) -> int:
    params = read_params(pairs, params_file)
    async with engine() as ready:
        source = read_source(workflow)
        if source is None:
            template = await ready.template(workflow, version)
            plan = ready.plan(template.definition)
            what: Plan | str = workflow
        else:
            what = plan = ready.plan(source)
        for warning in plan.warnings:
            print(f"  warning: {warning}", file=sys.stderr)
        name = None if source is None else workflow
        state = await _followed(ready, plan, quiet, what, params, version=version, agent_id=agent, name=name)
        stored = ready.registry.sources.get(("storage", "sqlite")) is not None
    _report(state, as_json=as_json, quiet=quiet, stored=stored)
    return EXIT.get(state.status, FAILED)


async def _followed(
    ready: Engine, plan: Plan, quiet: bool, what: Plan | str, params: dict[str, Any], **options: Any
) -> RunState:
    """Start the run and show it until it ends; an interrupt cancels it in good order."""
    if quiet:
        run_id = await ready.start(what, params, **options)
        return await _ended(ready, run_id)
    from opcode_core.cli.progress import progress

    async with ready.hub.subscribe() as events:
        run_id = await ready.start(what, params, **options)
        with progress(run_id, plan) as shown:

            async def follow() -> None:
                async for event in events:
                    if event.workflow_id == run_id:
                        shown.show(event)
                        if event.event_type.removeprefix("workflow_") in RUN_ENDED:
                            return

            following = asyncio.create_task(follow())
            try:
                state = await _ended(ready, run_id)
                await asyncio.wait({following}, timeout=1.0)
            finally:
                following.cancel()
    return state


async def _ended(ready: Engine, run_id: str) -> RunState:
    try:
        return await ready.wait(run_id)
    except asyncio.CancelledError:
        say(f"stopping run {run_id} …")
        return await ready.cancel(run_id, "interrupted")


def _report(state: RunState, *, as_json: bool, quiet: bool, stored: bool) -> None:
    from opcode_core.answers import error_answer, run_answer

    if as_json:
        print_json(run_answer(state))
    elif state.status == COMPLETED:
        print_json(state.output)
    if state.error is not None and not as_json:
        say(error_answer(state.error))
    if stored and not quiet:
        print(f"look again: opcode status {state.id}", file=sys.stderr)
