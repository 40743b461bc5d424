"""An action: a named thing that a step does."""

import logging
import os
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from opcode_core.contracts.isolator import Isolator
from opcode_core.network import NetworkPolicy
from opcode_core.paths import PathPolicy

Effect = Literal["pure", "idempotent", "external"]
"""`pure`: no outside effect. `idempotent`: safe to repeat. `external`: anything else."""


class RunAccess(Protocol):
    """What an action may ask of the engine, on behalf of the run that it works for."""

    async def emit(self, event_type: str, payload: Mapping[str, Any]) -> None:
        """Append a custom event to the run's log."""
        ...

    async def read_context(self, workflow_id: str | None = None) -> dict[str, Any]:
        """The workflow context of this run, or of the named one."""
        ...

    async def update_context(self, data: Mapping[str, Any], workflow_id: str | None = None) -> None:
        """Merge `data` into the workflow context, key by key."""
        ...

    async def start_run(self, template_name: str, version: str | None, params: Mapping[str, Any]) -> str:
        """Start a child run and give its id; the same step asked again gives the same child."""
        ...

    async def notify(self, message: str, data: Any) -> bool:
        """Tell the run's agent; whether there was a live session to tell."""
        ...

    async def evaluate(self, engine: str | None, expression: str, data: Any) -> Any:
        """Evaluate an expression over the step's scope, with `data` added to it."""
        ...


class StepLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger that adds the step's ids to every line, beside what the line brings itself."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Put both together."""
        return msg, {**kwargs, "extra": {**(self.extra or {}), **kwargs.get("extra", {})}}


@dataclass(frozen=True, slots=True)
class RunEnded:
    """What an action returns when its step is to wait for another run and take over its output."""

    run_id: str


@dataclass(frozen=True, slots=True)
class ActionContext:
    """What surrounds one call of an action. Ask for it by annotating a parameter with this type.

    Attributes:
        run_id, step_id, agent_id: whom the call is for; `step_id` is the full id.
        attempt: 1 for the first try.
        idempotency_key: the same for every try of this step, also after a crash.
        deadline: seconds since the epoch at which the call is given up, or None.
        logger: carries the ids above; writes to the program's log, not to the run's.
        isolator: where to run what others wrote.
        paths: which files may be read and written.
        run: the run itself.
        network: where it may connect to.
    """

    run_id: str
    step_id: str
    agent_id: str
    attempt: int
    idempotency_key: str
    deadline: float | None
    logger: StepLogger
    isolator: Isolator
    paths: PathPolicy
    run: RunAccess
    network: NetworkPolicy = field(default_factory=lambda: NetworkPolicy.from_environment(os.environ))


Call = Callable[[dict[str, Any], ActionContext | None], Any]
"""How the engine calls an action: params and context in, JSON or an awaitable of JSON out."""


@dataclass(frozen=True, slots=True)
class Action:
    """An action as the registry holds it; `opcode_core.action` makes one from a function.

    Attributes:
        name: `package.verb`.
        description: one or two sentences; agents choose by it.
        effect: what a repetition would do to the world.
        params_schema: JSON Schema (2020-12) of the params, an object.
        output_schema: JSON Schema of the output.
        call: the body.
        is_async: `call` gives an awaitable.
        blocking: `call` may block, so it runs in a thread.
        wants_context: `call` reads its second argument.
        aliases: further names that mean the same action.
        breaker: failures in a row open its circuit breaker. Not where they are the fault of what was asked,
            and say nothing about the next call.
    """

    name: str
    description: str
    effect: Effect
    params_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any]
    call: Call
    is_async: bool = False
    blocking: bool = False
    wants_context: bool = False
    aliases: tuple[str, ...] = ()
    breaker: bool = True
