"""A tool: a thing that callers can ask for, the same over MCP and REST."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from typing import Any

from opcode_core import Decision, OpcodeError
from opcode_core.hosting import Schema
from opcode_server.arguments import checked
from opcode_server.callers import Caller
from opcode_server.house import House
from opcode_server.progress import Progress

Ask = Callable[[Decision], Awaitable[dict[str, Any] | None]]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool.

    Attributes:
        house: where.
        caller: who calls.
        agent_id: for whom.
        arguments: fit the tool's schema.
        progress: tells the caller how far it is, when they want to know.
        ask: shows a decision to the person at the caller's end, and gives the payload of the signal that
            answers it, or None when they do not want to; None when there is nobody to ask.
        continues: the run that an earlier call began, when this call only goes on with it.
    """

    house: House
    caller: Caller
    agent_id: str
    arguments: Mapping[str, Any]
    progress: Progress | None = None
    ask: Ask | None = None
    continues: str | None = None


@dataclass(frozen=True)
class Tool:
    """A tool as callers see it, and what it does.

    Attributes:
        name: as `opcode.run`.
        title: for people.
        input_schema, output_schema: JSON Schemas.
        role: the least that a caller must have.
        perform: does it.
        read_only, destructive, idempotent, open_world: hints for clients: it changes nothing; it may undo
            something; again is the same as once; it reaches beyond this server.
        about: what the audit log says that a call was about, from its arguments and its result; None keeps it out.
    """

    name: str
    title: str
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any]
    role: str
    perform: Callable[[Call], Awaitable[dict[str, Any]]]
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False
    open_world: bool = False
    about: Callable[[Mapping[str, Any], Mapping[str, Any]], str] | None = field(default=None)

    @cached_property
    def description(self) -> str:
        """What an agent reads before its first call."""
        name = self.name.partition(".")[2]
        return files("opcode_server").joinpath(f"texts/{name}.md").read_text(encoding="utf-8").strip()

    @cached_property
    def schema(self) -> Schema:
        """Checks arguments."""
        return Schema(self.input_schema)

    async def call(
        self,
        house: House,
        caller: Caller,
        arguments: Mapping[str, Any],
        *,
        progress: Progress | None = None,
        ask: Ask | None = None,
        continues: str | None = None,
    ) -> dict[str, Any]:
        """Check that the caller may, that the arguments fit, and do it.

        Raises:
            OpcodeError: PERMISSION_DENIED, VALIDATION_ERROR with the path, or what went wrong.
        """
        agent_id, given = caller.agent_id or "", dict(arguments)
        try:
            caller.need(self.role, self.name)
            given = checked(self.schema, given)
            agent_id = caller.speaks_for(given.get("agent_id"))
            await house.agents.seen(agent_id, house.engine.clock.now())
            answer = await self.perform(Call(house, caller, agent_id, given, progress, ask, continues))
        except OpcodeError as error:
            self._note(house, caller, agent_id, given, {}, str(error.code))
            raise
        self._note(house, caller, agent_id, given, answer, "ok")
        return answer

    def _note(
        self,
        house: House,
        caller: Caller,
        agent_id: str,
        arguments: Mapping[str, Any],
        answer: Mapping[str, Any],
        outcome: str,
    ) -> None:
        if self.about is not None or outcome == "PERMISSION_DENIED":
            about = self.about(arguments, answer) if self.about is not None else ""
            house.audit.note(caller, self.name, about, outcome, agent_id)
