"""Runs, steps, events and templates as tables for people. All that comes from workflows is shown as text, never as markup."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from opcode_core.answers import steps_answer
from opcode_core.durations import format_duration
from opcode_core.logs import printable
from opcode_core.plan import Plan
from opcode_core.state import RunState

COLOURS = {
    "completed": "green",
    "failed": "red",
    "cancelled": "red",
    "running": "cyan",
    "active": "cyan",
    "retrying": "yellow",
    "suspended": "yellow",
}
MARKS = {
    "completed": "✓",
    "failed": "✗",
    "cancelled": "✗",
    "skipped": "↷",
    "retrying": "↻",
    "running": "▸",
    "suspended": "‖",
}
MOST_STEPS = 200


def status_text(status: str) -> Text:
    """A status with its mark and colour."""
    return Text(f"{MARKS.get(status, '·')} {status}", COLOURS.get(status, "dim"))


def one_line(value: Any, most: int = 100) -> str:
    """Any value on one line, cut when it is long."""
    text = printable(" ".join(str(value).split()))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def run_summary(state: RunState) -> RenderableType:
    """What a run is and how it stands."""
    title = Text.assemble((state.name or "workflow", "bold"), f"  {state.id}  ", status_text(state.status))
    took = state.ended_at - state.started_at if state.ended_at else None
    facts = [f"started {_local(state.started_at)}"]
    if took is not None:
        facts.append(f"took {format_duration(took)}")
    facts.append(f"{len(state.steps)} steps, {state.sequence} events, agent {state.agent_id}")
    lines: list[RenderableType] = [title, Text("  ".join(facts), "dim")]
    if state.error:
        lines.append(error_text(state.error))
    return Group(*lines)


def error_text(error: Mapping[str, Any]) -> Text:
    """An error and, where it has one, its cause."""
    text = Text(printable(f"{error['code']}: {error['message']}"), "red")
    if error.get("step_id"):
        text.append(f"  (step {error['step_id']})", "dim")
    return text


def step_table(state: RunState, plan: Plan) -> Table:
    """Every step; of very many only the first."""
    table = _table("step", "status", "took", "tries", "")
    answers = steps_answer(state, plan)
    for step_id, step in list(answers.items())[:MOST_STEPS]:
        note = ""
        if step["error"]:
            note = f"{step['error']['code']}: {step['error']['message']}"
        elif step.get("reason"):
            note = step["reason"]
        elif step["output"] is not None:
            note = one_line(step["output"], 60)
        table.add_row(
            Text(step_id),
            status_text(step["status"]),
            _duration(step["duration_ms"]),
            str(step.get("attempts", "")),
            Text(one_line(note), "red" if step["status"] == "failed" else "dim"),
        )
    if len(answers) > MOST_STEPS:
        table.add_row(f"… and {len(answers) - MOST_STEPS} more", "", "", "", "--json shows all")
    return table


def event_table(events: Sequence[Mapping[str, Any]]) -> Table:
    """Events in the order given."""
    table = _table("#", "time", "event", "step", "payload")
    for event in events:
        table.add_row(
            str(event["sequence"]),
            str(event["timestamp"])[11:23],
            Text(event["event_type"]),
            Text(event["step_id"] or ""),
            Text(one_line(event["payload"] or "", 80), "dim"),
        )
    return table


def workflow_table(runs: Sequence[Mapping[str, Any]]) -> Table:
    """Runs."""
    table = _table("run", "workflow", "status", "started", "took", "")
    for run in runs:
        name = f"{run['template_name']} {run['template_version']}" if run["template_name"] else "(file)"
        table.add_row(
            run["workflow_id"],
            Text(name),
            status_text(run["status"]),
            str(run["started_at"])[:19].replace("T", " "),
            _duration(run["duration_ms"]),
            Text(one_line(run["error"]["message"], 60) if run["error"] else "", "red"),
        )
    return table


def template_table(templates: Sequence[Mapping[str, Any]]) -> Table:
    """Templates."""
    table = _table("template", "version", "agent", "created", "")
    for template in templates:
        table.add_row(
            Text(template["name"]),
            template["version"],
            Text(template["agent_id"]),
            str(template["created_at"])[:19].replace("T", " "),
            Text(one_line(template["description"], 60), "dim"),
        )
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(
            heading, overflow="fold", justify="right" if heading in ("#", "took", "tries") else "left"
        )
    return table


def _duration(milliseconds: int | None) -> str:
    return "" if milliseconds is None else format_duration(milliseconds / 1000)


def _local(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
