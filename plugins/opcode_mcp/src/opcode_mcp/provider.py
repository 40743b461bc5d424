"""The tools of one server as actions."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from opcode_core import Action, ActionContext, Effect, Health
from opcode_mcp.book import Pins
from opcode_mcp.link import Condition
from opcode_mcp.tools import Tool

CallTool = Callable[[str, str, Mapping[str, Any], str], Awaitable[Any]]
"""Server, tool, params and idempotency key in; the output out."""
NOT_YET = "A tool of a server that is down, or that nobody approved yet."


class ServerTools:
    """An ActionProvider.

    Args:
        server_id: the prefix.
        look: gives how the server is, and its tools.
        call: calls one.
    """

    def __init__(self, server_id: str, look: Callable[[str], tuple[Condition, Pins]], call: CallTool) -> None:
        self.id = server_id
        self._look = look
        self._call = call
        self._made: dict[str, tuple[Tool, Action]] = {}
        self._listeners: list[Callable[[], None]] = []

    def actions(self) -> Sequence[Action]:
        """One for each approved tool, whether the server is there or not."""
        _, pins = self._look(self.id)
        self._made = {name: self._kept(tool) for name, tool in pins.approved.items()}
        return [action for _, action in self._made.values()]

    def stand_in(self, name: str) -> Action | None:
        """For a tool that waits for approval; or any, as long as nobody knows what the server offers."""
        tool = name.partition(".")[2]
        _, pins = self._look(self.id)
        if not tool or (pins.known and tool not in pins.waiting):
            return None
        return self._action(tool, NOT_YET, "external", {}, {})

    @property
    def health(self) -> tuple[Health, str]:
        """How the server is."""
        condition, _ = self._look(self.id)
        return condition.health, condition.detail

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call it when other tools may be called."""
        if listener not in self._listeners:
            self._listeners.append(listener)

    def tell(self) -> None:
        """Something has changed."""
        for listener in self._listeners:
            listener()

    def _kept(self, tool: Tool) -> tuple[Tool, Action]:
        made = self._made.get(tool.name)
        if made is not None and made[0] == tool:
            return made
        schemas = dict(tool.params_schema), dict(tool.output_schema)
        return tool, self._action(tool.name, tool.description, tool.effect, *schemas)

    def _action(
        self, tool: str, description: str, effect: Effect, params: dict[str, Any], output: dict[str, Any]
    ) -> Action:
        async def call(given: dict[str, Any], context: ActionContext | None) -> Any:
            return await self._call(self.id, tool, given, context.idempotency_key if context else "")

        return Action(
            name=f"{self.id}.{tool}",
            description=description,
            effect=effect,
            params_schema=params,
            output_schema=output,
            call=call,
            is_async=True,
            wants_context=True,
        )
