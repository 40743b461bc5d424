"""`opcode signal`."""

import asyncio
from typing import Any

import click

from opcode_core.cli.problems import Usage
from opcode_core.cli.session import JSON
from opcode_core.cli.sources import read_params
from opcode_core.codec import loads

HELP = """Say something to a run, and see it through until it ends or waits again.

\b
decision  answer what a reasoning step asks: --choice or --reject
data      put -p into the run's context; with --step STEP, or with
          -p signal=NAME, a step that waits for the signal goes on
cancel    end the run
retry     try again what failed, waits for its next try, or is held
skip      go on without a step
"""
KINDS = ("decision", "data", "cancel", "retry", "skip")


@click.command("signal", help=HELP)
@click.argument("run_id", metavar="RUN")
@click.argument("kind", metavar="decision|data|cancel|retry|skip", type=click.Choice(KINDS))
@click.option("--step", "step_id", metavar="STEP", help="The step that it is about, by its full id.")
@click.option("--choice", metavar="OPTION", help="decision: what is chosen.")
@click.option("--reject", metavar="REASON", help="decision: choose nothing; the step fails.")
@click.option("--reasoning", metavar="TEXT", help="Why; it stays in the log.")
@click.option(
    "-p",
    "--param",
    "pairs",
    multiple=True,
    metavar="KEY=VALUE",
    help="A part of the data; JSON where it is JSON, @FILE for a file's text.",
)
@click.option("--payload", metavar="JSON", help="All that is said, as one JSON object.")
@click.option("--agent", default="local", show_default=True, help="Who says it.")
@click.option("--no-wait", is_flag=True, help="Only store it; whoever drives the run goes on with it.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@JSON
def command(
    run_id: str,
    kind: str,
    step_id: str | None,
    agent: str,
    no_wait: bool,
    quiet: bool,
    as_json: bool,
    **said: Any,
) -> int:
    """Say something to a run, and see it through."""
    from opcode_core.cli import telling

    told = telling.Told(run_id, kind, _payload(kind, **said), step_id, agent)
    if no_wait:
        return asyncio.run(telling.tell_and_leave(told, as_json=as_json))
    return asyncio.run(telling.tell_and_see(told, quiet=quiet or as_json, as_json=as_json))


def _payload(
    kind: str,
    *,
    choice: str | None,
    reject: str | None,
    reasoning: str | None,
    pairs: tuple[str, ...],
    payload: str | None,
) -> dict[str, Any]:
    if kind != "decision" and (choice or reject):
        raise Usage(f"--choice and --reject belong to a decision, not to {kind}")
    if choice is not None and reject is not None:
        raise Usage("--choice and --reject: say one of them")
    said = _read_payload(payload)
    data = read_params(pairs, None)
    if kind != "decision":
        return {**said, **data, **({} if reasoning is None else {"reason": reasoning})}
    if data:
        said["data"] = {**(said.get("data") or {}), **data}
    given = {"choice": choice, "reject": reject, "reasoning": reasoning}
    return {**said, **{name: value for name, value in given.items() if value is not None}}


def _read_payload(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        payload = loads(text)
    except ValueError as error:
        raise Usage(f"--payload: not JSON: {error}") from None
    if not isinstance(payload, dict):
        raise Usage(f"--payload {text[:80]!r} must be a JSON object")
    return payload
