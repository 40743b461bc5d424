"""Who answers what an example asks: the command line, a person at the terminal, the scenario."""

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from opcode_core.cli.problems import say
from opcode_core.cli.rehearsal import Answer, Script
from opcode_core.cli.tables import one_line
from opcode_core.codec import dumps, loads
from opcode_core.decisions import Decision
from opcode_core.logs import printable

NOBODY = "(nobody answers)"
REJECTED = "(rejected)"


class People:
    """Who decides: first what was given with the command, then whoever is at the terminal, else the scenario."""

    def __init__(
        self, scenario: Mapping[str, Any], given: Mapping[str, Any], *, asking: bool, quiet: bool
    ) -> None:
        self._script = Script(scenario.get("answers", {}), scenario.get("signals", {}))
        self._given = Script(given, {})
        self._asking = asking
        self.quiet = quiet

    async def ask(self, decision: Decision) -> Answer | None:
        """What is decided."""
        given = await self._given.ask(decision)
        if given is not None:
            return given
        written = await self._script.ask(decision)
        if self._asking:
            return _asked(decision, written)
        if not self.quiet:
            shown = "nobody answers" if written is None else dumps(written.payload).decode()
            say(f"{decision.step_id} asks: {decision.prompt} – the scenario says: {shown}")
        return written

    async def send(self, step_id: str, signal: str) -> Answer | None:
        """What comes with a signal: always what the scenario says."""
        came = await self._script.send(step_id, signal)
        if not self.quiet:
            shown = "does not come" if came is None else f"comes with {dumps(came.payload).decode()}"
            say(f"{step_id} waits for the signal '{signal}', which {shown}")
        return came


def _asked(decision: Decision, written: Answer | None) -> Answer | None:
    """Put one question at the terminal; what the scenario says is the default."""
    print(f"\n{printable(decision.prompt)}", file=sys.stderr)
    for name, value in decision.data.items():
        print(f"  {name}: {one_line(value, 300)}", file=sys.stderr)
    for option in decision.options:
        print(f"  {option['id']}  {printable(option.get('description') or '')}", file=sys.stderr)
    usual = NOBODY if written is None else str(written.payload.get("choice", REJECTED))
    allowed = {str(option["id"]): None for option in decision.options}
    kind = click.Choice([*allowed, *({usual} - set(allowed))]) if allowed else str
    with _interruptible():
        choice = click.prompt(decision.step_id, default=usual, type=kind, show_choices=False, err=True)
        if choice in (NOBODY, REJECTED) or (choice == usual and decision.response_schema is None):
            return written
        return Answer("decision", {"choice": choice, "data": _data(decision, written)})


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C ends the question at once; the loop's own handler would only note it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _data(decision: Decision, written: Answer | None) -> Any:
    """The rest of an answer that has to fit a schema."""
    if decision.response_schema is None:
        return None
    usual = dumps((written.payload.get("data") if written else None) or {}).decode()
    return click.prompt("data (JSON)", default=usual, value_proc=loads, err=True)
