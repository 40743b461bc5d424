"""What an action may ask of the engine, for the run that it works for."""

import asyncio
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from opcode_core import events as e
from opcode_core.codec import dumps, loads
from opcode_core.engine.failure import LogFailed
from opcode_core.engine.starting import parent_of_child
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.redaction import redact
from opcode_core.scope import Scope

if TYPE_CHECKING:
    from opcode_core.engine.run import Run

LONG_EXPRESSION = 2 * 1024
"""Characters of an expression that is compiled in a thread."""


def hidden_from(run: "Run", scope: Scope) -> Collection[str]:
    """What must not be seen of what a step does: its own secrets, and those that steps before it were given."""
    own = scope.secrets
    return run.secrets.union(own.values()) if own else run.secrets


class Access:
    """The run as one of its steps sees it."""

    __slots__ = ("_hidden", "_idempotency_key", "_run", "_scope", "_step_id")

    def __init__(
        self,
        run: "Run",
        step_id: str,
        scope: Scope,
        idempotency_key: str,
        hidden: Callable[[], Collection[str]],
    ) -> None:
        self._run = run
        self._step_id = step_id
        self._scope = scope
        self._idempotency_key = idempotency_key
        self._hidden = hidden

    async def emit(self, event_type: str, payload: Mapping[str, Any]) -> None:
        """Append a custom event.

        Raises:
            OpcodeError: VALIDATION_ERROR when the type is one of the engine's own, or holds a secret.
        """
        if redact(event_type, self._hidden()) != event_type:
            raise OpcodeError(ErrorCode.VALIDATION_ERROR, "a secret cannot be the type of an event")
        if event_type in e.RESERVED:
            raise OpcodeError(
                ErrorCode.VALIDATION_ERROR, f"'{event_type}' is the engine's own; choose another event type"
            )
        self._run.record(event_type, self._step_id, self._kept(payload))

    async def read_context(self, workflow_id: str | None = None) -> dict[str, Any]:
        """The context of this run, or of the named one.

        Raises:
            OpcodeError: NOT_FOUND when there is no such run.
        """
        if workflow_id is None or workflow_id == self._run.state.id:
            context: dict[str, Any] = self._run.state.context
        else:
            context = await self._run.engine.context_of(workflow_id)
        return dict(loads(dumps(context)))

    async def update_context(self, data: Mapping[str, Any], workflow_id: str | None = None) -> None:
        """Merge into the context of this run, or of the named one.

        Raises:
            OpcodeError: NOT_FOUND when there is no such run, CONFLICT when it has ended.
        """
        if workflow_id is None or workflow_id == self._run.state.id:
            self._run.record(e.VARIABLE_SET, self._step_id, {"data": self._kept(data)})
        else:
            await self._run.engine.update_context(workflow_id, self._kept(data))

    async def start_run(self, template_name: str, version: str | None, params: Mapping[str, Any]) -> str:
        """Start a child; the same step asked again gives the same child.

        Raises:
            OpcodeError: VALIDATION_ERROR when a secret is among the params, NOT_FOUND for the template,
                CYCLE_DETECTED when too many runs wait for each other.
        """
        if redact(params, self._hidden()) != params:
            raise OpcodeError(
                ErrorCode.VALIDATION_ERROR,
                "a secret cannot be handed to another run, where it would be written down;"
                " let that run read ${{secrets.NAME}} itself",
            )
        parent = parent_of_child(self._run.state, self._step_id)
        try:
            return await self._run.engine.start(
                template_name,
                params,
                version=version,
                agent_id=self._run.state.agent_id,
                idempotency_key=self._idempotency_key,
                parent=parent,
            )
        except OpcodeError as error:
            if self._run.engine.closing:  # the step goes on with the next start, under the same key
                raise self._run.parked() from error
            if error.code is ErrorCode.STORE_ERROR:  # whether it began is not known: no failure of the step
                raise LogFailed(error) from error
            raise

    async def notify(self, message: str, data: Any) -> bool:
        """Tell the run's agent; whether it could be told."""
        notifier = self._run.engine.notifier
        if notifier is None:
            return False
        message, data = redact((message, data), self._hidden())
        return await notifier(self._run.state.agent_id, message, data)

    async def evaluate(self, engine: str | None, expression: str, data: Any) -> Any:
        """Evaluate over the step's scope and `data`; without `engine`, in the language that can read it.

        Raises:
            OpcodeError: VALIDATION_ERROR for an unknown engine or an expression that cannot be read.
        """
        find = self._run.engine.languages.program
        long = len(expression) > LONG_EXPRESSION  # compiling it takes so long that others would wait
        program = await asyncio.to_thread(find, engine, expression) if long else find(engine, expression)
        value = program.evaluate({**self._scope.names, "data": data})
        return await value if inspect.isawaitable(value) else value

    def _kept(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """As the log will give it back, without secrets.

        Raises:
            OpcodeError: VALIDATION_ERROR when it is not JSON.
        """
        try:
            copy = loads(dumps(dict(data)))
        except ValueError as error:
            raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"this is not JSON: {error}") from None
        return dict(redact(copy, self._hidden()))
