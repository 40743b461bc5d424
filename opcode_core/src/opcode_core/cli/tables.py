"""Runs, steps, events, templates and plugins as tables for people. What comes from outside is shown as text, never as markup."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from opcode_core.answers import steps_answer
from opcode_core.cli.problems import count
from opcode_core.cli.shortened import without_old_iterations
from opcode_core.cli.waits import wait_in_words
from opcode_core.contracts.provider import Provided
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
    "active": "▸",
    "suspended": "‖",
}
MOST_DETAILS = 6
_PLUGIN_COLOURS = {"active": "green", "denied": "yellow", "broken": "red"}


def status_text(status: str) -> Text:
    """A status with its mark and colour."""
    return Text(f"{MARKS.get(status, '·')} {status}", COLOURS.get(status, "dim"))


def one_line(value: Any, most: int = 100) -> str:
    """Any value on one line, cut when it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = printable(" ".join(text[: most * 20].split()))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def title_of(state: RunState) -> str:
    """What a run is called."""
    name = state.name or "workflow"
    return f"{name} {state.template_version}" if state.template_version else name


def run_summary(state: RunState) -> RenderableType:
    """What a run is and how it stands."""
    title = Text.assemble((one_line(title_of(state)), "bold"), f"  {state.id}  ", status_text(state.status))
    took = state.ended_at - state.started_at if state.ended_at else None
    facts = [f"started {_local(state.started_at)}"]
    if took is not None:
        facts.append(f"took {format_duration(took)}")
    facts.append(
        f"{count(len(state.steps), 'step')}, {count(state.sequence, 'event')}, agent {one_line(state.agent_id)}"
    )
    lines: list[RenderableType] = [title, Text("  ".join(facts), "dim")]
    if state.error:
        lines.append(error_text(state.error))
    return Group(*lines, "")


def error_text(error: Mapping[str, Any]) -> Text:
    """An error, and below it the details of what caused it."""
    text = Text(printable(f"{error['code']}: {error['message']}"), "red")
    if error.get("step_id"):
        text.append(f"  (step {error['step_id']})", "dim")
    cause = error
    while isinstance(cause.get("details"), dict) and isinstance(cause["details"].get("cause"), dict):
        cause = cause["details"]["cause"]
    for key, value in list((cause.get("details") or {}).items())[:MOST_DETAILS]:
        text.append(f"\n  {one_line(key)}: {one_line(value, 200)}", "dim")
    return text


def step_table(state: RunState, plan: Plan) -> RenderableType:
    """Every step; of loops with many iterations the last one, and those in which something failed."""
    answers = steps_answer(state, plan)
    shown, left_out = without_old_iterations(answers)
    tried = any("attempts" in answers[step_id] for step_id in shown)
    table = _table("step", "status", "took", *(["tries"] if tried else []), "")
    for step_id in shown:
        step = answers[step_id]
        tries = [str(step.get("attempts", ""))] if tried else []
        table.add_row(
            Text(step_id),
            status_text(step["status"]),
            _duration(step["duration_ms"]),
            *tries,
            _outcome(step),
        )
    if not left_out:
        return table
    return Group(
        table, Text(f"and {count(left_out, 'step')} of earlier iterations: --json has them all", "dim")
    )


def _outcome(step: Mapping[str, Any]) -> Text:
    """An error in full, or a wait, or the beginning of an output."""
    if step.get("waiting"):
        return Text(one_line(wait_in_words(step["waiting"])), "dim")
    colour = "red" if step["status"] == "failed" else "dim"
    if step["error"]:
        return Text(one_line(f"{step['error']['code']}: {step['error']['message']}", 160), colour)
    if step.get("reason"):
        return Text(one_line(step["reason"]), "dim")
    return _cut("" if step["output"] is None else one_line(step["output"], 60), "dim")


def event_table(events: Sequence[Mapping[str, Any]]) -> Table:
    """Events in the order given; of more than one run also whose they are."""
    several = len({event["workflow_id"] for event in events}) > 1
    table = _table("#", "time", "event", "step", *(["run"] if several else []), "payload")
    for event in events:
        run = [Text(event["workflow_id"])] if several else []
        table.add_row(
            str(event["sequence"]),
            str(event["timestamp"])[11:23],
            Text(one_line(event["event_type"])),
            Text(event["step_id"] or ""),
            *run,
            _cut(_gist(event["payload"]), "dim"),
        )
    return table


def _gist(payload: Any) -> str:
    """A payload in a line: of an error only what a person reads first."""
    error = payload.get("error") if isinstance(payload, Mapping) else None
    if isinstance(error, Mapping) and "code" in error:
        return one_line(f"{error['code']}: {error.get('message', '')}", 120)
    return one_line(payload, 120) if payload else ""


def workflow_table(runs: Sequence[Mapping[str, Any]]) -> Table:
    """Runs."""
    failed = any(run["error"] for run in runs)
    table = _table("run", "workflow", "status", "started", "took", *([""] if failed else []))
    for run in runs:
        name = run["name"] or run["template_name"] or "(no name)"
        if run["template_version"]:
            name = f"{name} {run['template_version']}"
        table.add_row(
            Text(run["workflow_id"]),
            Text(one_line(name, 40)),
            status_text(run["status"]),
            _when(run["started_at"]),
            _duration(run["duration_ms"]),
            *([_cut(one_line(run["error"]["message"], 80) if run["error"] else "", "red")] if failed else []),
        )
    return table


def decision_table(decisions: Sequence[Mapping[str, Any]]) -> Table:
    """Decisions: whose and what, and the choice once there is one."""
    table = _table("run", "step", "answer", "")
    for decision in decisions:
        table.add_row(
            Text(decision["workflow_id"]),
            Text(decision["step_id"]),
            _answer(decision),
            _cut(one_line(decision["context"]["prompt"], 120), ""),
        )
    return table


def _answer(decision: Mapping[str, Any]) -> Text:
    """What was decided, and until then how long there is time."""
    resolution = decision.get("resolution")
    if resolution is None:
        until = decision["timeout_at"]
        return Text("pending" if until is None else f"until {_when(until)}", "yellow")
    word = decision["status"] if resolution["choice"] is None else str(resolution["choice"])
    by = f" by {resolution['resolved_by']}" if resolution["resolved_by"] else ""
    return Text(one_line(word + by, 40))


def template_table(templates: Sequence[Mapping[str, Any]]) -> Table:
    """Templates."""
    table = _table("template", "version", "agent", "created", "")
    for template in templates:
        table.add_row(
            Text(one_line(template["name"])),
            template["version"],
            Text(one_line(template["agent_id"], 40)),
            _when(template["created_at"]),
            _cut(one_line(template["description"], 80), "dim"),
        )
    return table


def plugin_table(plugins: Sequence[Mapping[str, Any]], collisions: Iterable[object]) -> RenderableType:
    """Plugins with what they add or why they are broken, and the names that two of them offer."""
    table = _table("plugin", "package", "state", "")
    for plugin in plugins:
        adds = "; ".join(f"{kind} {', '.join(names)}" for kind, names in plugin["adds"].items())
        what = Text(one_line(plugin["error"], 300), "red") if plugin["error"] else Text(adds)
        state = "✓ active" if plugin["state"] == "active" else f"✗ {plugin['state']}"
        colour = _PLUGIN_COLOURS[plugin["state"]]
        table.add_row(Text(plugin["name"]), Text(plugin["package"]), Text(state, colour), what)
    return Group(table, *(Text(str(collision), "red") for collision in collisions))


def provider_table(provided: Sequence[Provided]) -> RenderableType:
    """Who offers actions that come and go, and how each is."""
    table = _table("tool server", "kind", "state", "tools", "")
    for one in provided:
        colour = {"active": "green", "error": "red"}.get(one.health, "dim")
        waiting = (
            f"{len(one.waiting)} waiting for approval: opcode tools show {one.id}" if one.waiting else ""
        )
        what = "; ".join(part for part in (one_line(one.detail, 300), waiting) if part)
        mark = {"active": "✓", "error": "✗"}.get(one.health, "·")
        table.add_row(one.id, one.kind, Text(f"{mark} {one.health}", colour), str(len(one.tools)), Text(what))
    return table


_NUMBERS = frozenset({"#", "took", "tries"})


def _table(*headings: str) -> Table:
    """A table in which ids stay whole: where there is little room, the last, telling column gives way."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings[:-1]:
        least = 32 if heading == "run" else None
        table.add_column(
            heading, no_wrap=True, min_width=least, justify="right" if heading in _NUMBERS else "left"
        )
    table.add_column(headings[-1], overflow="fold")
    return table


def _cut(text: str, style: str) -> Text:
    """The last cell of a row that shall stay one line."""
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _duration(milliseconds: int | None) -> str:
    return "" if milliseconds is None else format_duration(milliseconds / 1000)


def _when(iso: str | None) -> str:
    """Short, for lists: today the time, this year the day and the time, else the date."""
    if iso is None:
        return ""
    when, now = datetime.fromisoformat(iso).astimezone(), datetime.now().astimezone()
    if when.date() == now.date():
        return when.strftime("%H:%M:%S")
    return when.strftime("%b %d %H:%M" if when.year == now.year else "%Y-%m-%d")


def _local(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
