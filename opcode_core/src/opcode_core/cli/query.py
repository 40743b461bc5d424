"""`opcode query`."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import click

from opcode_core.cli.problems import DONE, Usage
from opcode_core.cli.screen import print_json, show
from opcode_core.cli.session import JSON, engine
from opcode_core.engine.engine import Engine

LIMIT = click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="At most so many."
)
CURSOR = click.option("--cursor", help="Where the page before ended.")
SINCE = click.option("--since", metavar="TIME", help="Not before this time, as 2026-01-31T12:00:00Z.")

DECIDED = ("pending", "resolved", "rejected", "cancelled", "timed_out")
STATUSES = ("pending", "active", "completed", "failed", "cancelled", "suspended")


@click.group("query")
def command() -> None:
    """List workflows, events, decisions or templates."""


@command.command("workflows")
@click.option("--status", type=click.Choice(STATUSES), help="Runs that stand like this.")
@click.option("--agent", "agent_id", help="Whose runs.")
@click.option("--template", "template_name", help="Runs of this template.")
@SINCE
@LIMIT
@CURSOR
@JSON
def workflows(**options: Any) -> int:
    """Runs, newest first."""
    return asyncio.run(_show("workflows", _workflows, options))


@command.command("events")
@click.option("--workflow-id", help="Of this run.")
@click.option("--step-id", help="Of this step.")
@click.option("--event-type", help="Of this type.")
@SINCE
@LIMIT
@CURSOR
@JSON
def events(**options: Any) -> int:
    """Events of a run in order, or of all runs, newest first."""
    if not options["workflow_id"] and not options["event_type"]:
        raise Usage("name a --workflow-id or an --event-type")
    return asyncio.run(_show("events", _events, options))


@command.command("decisions")
@click.option("--status", type=click.Choice(DECIDED), help="Decisions that stand like this.")
@click.option("--agent", "agent_id", help="Those that this agent may answer.")
@click.option("--workflow-id", help="Of this run.")
@LIMIT
@CURSOR
@JSON
def decisions(**options: Any) -> int:
    """Decisions, those that wait longest first."""
    return asyncio.run(_show("decisions", _decisions, options))


@command.command("templates")
@click.option("--name", help="Every version of this one.")
@click.option("--agent", "agent_id", help="Whose templates.")
@LIMIT
@CURSOR
@JSON
def templates(**options: Any) -> int:
    """Templates by name, each with its newest version."""
    return asyncio.run(_show("templates", _templates, options))


Rows = tuple[list[dict[str, Any]], str | None]


async def _show(
    resource: str, ask: Callable[[Engine, Mapping[str, Any]], Awaitable[Rows]], options: dict[str, Any]
) -> int:
    as_json = options.pop("as_json")
    async with engine() as ready:
        rows, cursor = await ask(ready, options)
    if as_json:
        print_json({resource: rows, "cursor": cursor})
        return DONE
    from opcode_core.cli import tables

    show(getattr(tables, f"{resource.removesuffix('s')}_table")(rows) if rows else f"no {resource}")
    if cursor:
        print(f"more: --cursor {cursor}", file=sys.stderr)
    return DONE


async def _workflows(ready: Engine, options: Mapping[str, Any]) -> Rows:
    from opcode_core.answers import record_answer
    from opcode_core.contracts.storage import RunFilter

    where = RunFilter(
        status=options["status"],
        agent_id=options["agent_id"],
        template_name=options["template_name"],
        since=_time(options["since"]),
    )
    page = await ready.storage.runs(where, options["limit"], options["cursor"])
    return [record_answer(run) for run in page.items], page.cursor


async def _events(ready: Engine, options: Mapping[str, Any]) -> Rows:
    from opcode_core.answers import event_answer
    from opcode_core.contracts.storage import EventFilter

    run_id = options["workflow_id"]
    where = EventFilter(
        workflow_id=(await ready.find(run_id)).id if run_id else None,
        step_id=options["step_id"],
        event_type=options["event_type"],
        since=_time(options["since"]),
    )
    page = await ready.storage.events(where, options["limit"], options["cursor"])
    return [event_answer(event) for event in page.items], page.cursor


async def _decisions(ready: Engine, options: Mapping[str, Any]) -> Rows:
    from opcode_core.answers import decision_answer
    from opcode_core.contracts.storage import DecisionFilter

    run_id = options["workflow_id"]
    where = DecisionFilter(
        status=options["status"],
        workflow_id=(await ready.find(run_id)).id if run_id else None,
        agent_id=options["agent_id"],
    )
    page = await ready.storage.decisions(where, options["limit"], options["cursor"])
    return [decision_answer(decision) for decision in page.items], page.cursor


async def _templates(ready: Engine, options: Mapping[str, Any]) -> Rows:
    from opcode_core.answers import template_answer

    page = await ready.storage.templates(
        options["name"], options["agent_id"], options["limit"], options["cursor"]
    )
    return [template_answer(template) for template in page.items], page.cursor


def _time(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise Usage(f"--since {text!r} is not a time; write 2026-01-31T12:00:00Z") from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
