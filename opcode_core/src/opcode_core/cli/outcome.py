"""What a command that drove a run says about it at the end."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opcode_core.cli.driving import Seen
from opcode_core.cli.family import waiting_family
from opcode_core.cli.problems import say
from opcode_core.cli.screen import print_json, tell
from opcode_core.engine.engine import Engine
from opcode_core.state import ACTIVE, COMPLETED, SUSPENDED, RunState


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run stands, for people and for programs.

    Attributes:
        family: the run, and those below it that it waits for.
        answer: the same as JSON.
    """

    family: Sequence[RunState]
    answer: Mapping[str, Any]
    exit_code: int

    @property
    def state(self) -> RunState:
        """The run's own."""
        return self.family[0]


async def outcome(ready: Engine, seen: Seen) -> Outcome:
    """All that is said, taken from the storage while it is open."""
    from opcode_core.answers import run_answer

    state = seen.state
    family = await waiting_family(ready, state) if state.status == SUSPENDED else [state]
    return Outcome(family, run_answer(state, await ready.plan_of(state)), seen.exit_code)


def report(came: Outcome, *, stored: bool, quiet: bool) -> None:
    """The output on standard output; what is to be done, and where to look, on standard error."""
    from opcode_core.answers import error_answer

    state = came.state
    if state.status == COMPLETED:
        print_json(state.output)
        sys.stdout.flush()  # before what follows on standard error
    if state.error is not None:
        say(error_answer(state.error))
    if not stored:
        if not state.ended:
            say(f"run {state.id} is {state.status}, and forgotten now: it was not stored")
        return
    if state.status == ACTIVE:
        say(f"run {state.id} is left as it is")
        print(f"go on with it: opcode resume {state.id}", file=sys.stderr)
    elif state.status == SUSPENDED:
        _say_what_is_wanted(came.family)
    if not quiet:
        print(f"look again: opcode status {state.id}", file=sys.stderr)
        print(f"            opcode diagram {state.id}", file=sys.stderr)


def _say_what_is_wanted(family: Sequence[RunState]) -> None:
    from opcode_core.cli.wanted import what_is_wanted

    say(f"run {family[0].id} is suspended and waits for this:")
    tell(what_is_wanted(family), "")
