"""What a run wants of people, and the command line that says it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from shlex import quote
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from opcode_core.cli.tables import one_line
from opcode_core.cli.waits import until_when, wait_of
from opcode_core.decisions import Decision
from opcode_core.logs import printable
from opcode_core.state import SUSPENDED, RunState

MOST_OF_A_PROMPT = 4000
MOST = 20
"""Questions that are put one by one."""


def what_is_wanted(family: Iterable[RunState]) -> RenderableType:
    """The questions and waits of a run and its children, each with the command that answers it."""
    wanted = [block for state in family for block in _wanted(state)]
    told: list[RenderableType] = []
    for block in wanted[:MOST]:
        told += ["", block]
    if len(wanted) > MOST:
        told += ["", Text(f"and {len(wanted) - MOST} more: opcode status --json has them all", "dim")]
    return Group(*told)


def _wanted(state: RunState) -> Iterator[RenderableType]:
    for decision in sorted(state.decisions.values(), key=lambda one: (one.created_at, one.id)):
        yield _question(decision)
    for step_id, step in state.steps.items():
        waits_for = (step.waiting or {}).get("for")
        if step.status != SUSPENDED or waits_for not in ("signal", "operator"):
            continue
        about = ("--step", step_id)
        commands = [_command(state.id, "data", *about, "-p", "key=value")]
        if waits_for == "operator":
            commands = [_command(state.id, word, *about) for word in ("retry", "skip")]
        yield _block(_title(step_id, f" {wait_of(step)}"), commands)
    if state.held is not None:
        title = _title(f"run {state.id}", f" is held ({state.held}) until somebody says how it goes on")
        yield _block(title, [_command(state.id, word) for word in ("retry", "cancel")])


def _question(decision: Decision) -> RenderableType:
    parts: list[RenderableType] = []
    if decision.data:
        parts.append(_pairs((name, one_line(value, 300)) for name, value in decision.data.items()))
    if decision.options:
        if decision.data:
            parts.append(Text("options:", "dim"))
        options = ((one["id"], one_line(one.get("description") or "", 300)) for one in decision.options)
        parts.append(Padding(_pairs(options), (0, 0, 0, 2 if decision.data else 0)))
    if decision.timeout_at is not None:
        then = f"then '{decision.fallback}' is chosen" if decision.fallback else "then the step fails"
        parts.append(Text(f"{until_when(decision.timeout_at)}; {then}", "dim"))
    asked = f" asks agent {decision.target_agent_id}" if decision.target_agent_id else " asks"
    title = _title(decision.step_id, f"{asked}: {decision.prompt[:MOST_OF_A_PROMPT]}")
    return _block(title, [_answer(decision)], *parts)


def _answer(decision: Decision) -> Text:
    choice = str(decision.options[0]["id"]) if decision.options else "TEXT"
    about = ["--step", decision.step_id, "--choice", choice]
    if decision.target_agent_id is not None:
        about += ["--agent", decision.target_agent_id]
    for name in _required(decision.response_schema or {}):
        about += ["-p", f"{name}=VALUE"]
    return _command(decision.workflow_id, "decision", *about)


def _required(schema: Mapping[str, Any]) -> Sequence[str]:
    required = schema.get("required")
    return [name for name in required if isinstance(name, str)] if isinstance(required, list) else []


def _pairs(pairs: Iterable[tuple[Any, str]]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    for name, value in pairs:
        table.add_row(Text(one_line(name, 40)), Text(value))
    return table


def _title(about: str, what: str) -> Text:
    return Text.assemble((printable(about), "bold"), printable(what))


def _block(title: Text, commands: Sequence[Text], *parts: RenderableType) -> RenderableType:
    return Group(title, *(Padding(part, (0, 0, 0, 2)) for part in parts), *commands)


def _command(run_id: str, kind: str, *rest: str) -> Text:
    """Never broken into lines, so that it can be copied."""
    words = " ".join(quote(printable(word)) for word in (run_id, kind, *rest))
    return Text(f"  opcode signal {words}", "green", no_wrap=True, overflow="ignore")
