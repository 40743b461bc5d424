"""`opcode status`."""

import asyncio

import click

from opcode_core.cli.problems import DONE
from opcode_core.cli.screen import print_json, show
from opcode_core.cli.session import JSON, engine


@click.command("status")
@click.argument("run_id", metavar="RUN")
@click.option("--events", is_flag=True, help="Its log as well.")
@JSON
def command(run_id: str, events: bool, as_json: bool) -> int:
    """Show a run by its id, or by a beginning or an end of it that no other run has."""
    return asyncio.run(_status(run_id, events=events, as_json=as_json))


async def _status(run_id: str, *, events: bool, as_json: bool) -> int:
    from opcode_core.answers import event_answer, status_answer
    from opcode_core.cli.family import waiting_family
    from opcode_core.folding import fold
    from opcode_core.state import SUSPENDED

    async with engine() as ready:
        record = await ready.find(run_id)
        log = await ready.log(record.id)
        state = fold(record.id, log)
        plan = await ready.plan_of(state)
        family = await waiting_family(ready, state)
    if as_json:
        print_json(status_answer(state, plan, log if events else None))
        return DONE
    from opcode_core.cli.tables import event_table, run_summary, step_table
    from opcode_core.cli.wanted import what_is_wanted

    show(run_summary(state), step_table(state, plan))
    if state.status == SUSPENDED:
        show(what_is_wanted(family))
    if events:
        show("", event_table([event_answer(event) for event in log]))
    return DONE
