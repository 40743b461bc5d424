"""The MCP server: what clients see, whatever transport they come over."""

import logging
from collections.abc import Awaitable
from importlib.metadata import version
from typing import Any, TypeVar

import mcp_types as t
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

from opcode_core import ErrorCode, OpcodeError
from opcode_core.hosting import did_you_mean
from opcode_server.callers import ADMIN, VIEWER, Caller
from opcode_server.house import House
from opcode_server.mcp import asking, prompts, resources
from opcode_server.mcp.clean import clean, clean_text
from opcode_server.mcp.results import answered, refused
from opcode_server.mcp.sessions import Sessions
from opcode_server.progress import Progress
from opcode_server.tools import TOOLS

Context = ServerRequestContext[Any, Any]
T = TypeVar("T")

INSTRUCTIONS = (
    "OPCODE runs workflows: write one once as JSON (opcode.define), then run it any number of times (opcode.run)"
    " without inference. It goes on by itself, survives crashes, and hands decisions back to you"
    " (pending_decisions; answer with opcode.signal). Read the resource opcode://guide before you write your"
    " first workflow, and opcode://actions for what steps can do here."
)

_log = logging.getLogger("opcode.server")


class Desk:
    """Answers MCP requests.

    Args:
        house: whose engine.
        sessions: live sessions by agent.
    """

    def __init__(self, house: House, sessions: Sessions) -> None:
        self.house = house
        self.sessions = sessions
        self._tools = [_described(name) for name in TOOLS]

    def server(self) -> "Server[Any]":
        """The SDK's server with everything that this one answers."""
        server: Server[Any] = Server(
            "opcode",
            version=version("opcode-server"),
            title="OPCODE",
            instructions=INSTRUCTIONS,
            get_tool_input_schema=lambda name: TOOLS[name].input_schema if name in TOOLS else None,
            on_list_tools=self.list_tools,
            on_call_tool=self.call_tool,
            on_list_resources=self.list_resources,
            on_list_resource_templates=self.list_resource_templates,
            on_read_resource=self.read_resource,
            on_subscribe_resource=self.subscribe,
            on_unsubscribe_resource=self.unsubscribe,
            on_subscriptions_listen=self.listen,
            on_list_prompts=self.list_prompts,
            on_get_prompt=self.get_prompt,
        )
        server.add_request_handler("logging/setLevel", t.SetLevelRequestParams, self.set_level)
        return server

    async def list_tools(self, _: Context, __: t.PaginatedRequestParams | None) -> t.ListToolsResult:
        """The six."""
        return t.ListToolsResult(tools=self._tools)

    async def call_tool(
        self, context: Context, params: t.CallToolRequestParams
    ) -> t.CallToolResult | t.InputRequiredResult:
        """One call; whatever goes wrong is a result that says so."""
        try:
            return answered(await self._call(context, params))
        except asking.InputRequired as required:
            return required.result()
        except OpcodeError as error:
            return refused(error)
        except Exception as error:
            _log.exception("%s failed", params.name)
            message = f"this is a bug in the server: {type(error).__name__}: {error}"
            return refused(OpcodeError(ErrorCode.EXECUTION_ERROR, message))

    async def _call(self, context: Context, params: t.CallToolRequestParams) -> dict[str, Any]:
        tool = TOOLS.get(params.name)
        if tool is None:
            hint = did_you_mean(params.name, list(TOOLS)) or f"there are {', '.join(TOOLS)}"
            raise OpcodeError(ErrorCode.NOT_FOUND, f"there is no tool '{params.name}'; {hint}")
        caller, arguments = caller_of(context), params.arguments or {}
        claimed = arguments.get("agent_id")
        if isinstance(claimed, str) and caller.agent_id in (None, claimed):
            self.sessions.note(claimed, context)
        elif caller.agent_id is not None:
            self.sessions.note(caller.agent_id, context)
        going_on = asking.continued(params)
        return await tool.call(
            self.house,
            caller,
            arguments,
            progress=_progress(context),
            ask=asking.asks(context, params),
            continues=going_on[0] if going_on else None,
        )

    async def list_resources(
        self, context: Context, params: t.PaginatedRequestParams | None
    ) -> t.ListResourcesResult:
        """Fixed ones and templates."""
        cursor = params.cursor if params else None
        return await _or_error(resources.listed(self.house, caller_of(context), cursor))

    async def list_resource_templates(
        self, _: Context, __: t.PaginatedRequestParams | None
    ) -> t.ListResourceTemplatesResult:
        """The kinds of which there are many."""
        return t.ListResourceTemplatesResult(resource_templates=resources.templates())

    async def read_resource(
        self, context: Context, params: t.ReadResourceRequestParams
    ) -> t.ReadResourceResult:
        """One resource."""
        return await _or_error(resources.read(self.house, caller_of(context), str(params.uri)))

    async def subscribe(self, context: Context, params: t.SubscribeRequestParams) -> t.EmptyResult:
        """Tell this session when that resource changes."""
        self._check_inboxes(context, [str(params.uri)])
        if not self.sessions.subscribe(str(params.uri), context):
            raise MCPError(t.INVALID_PARAMS, "this session has too many subscriptions")
        return t.EmptyResult()

    async def unsubscribe(self, context: Context, params: t.UnsubscribeRequestParams) -> t.EmptyResult:
        """No longer."""
        self.sessions.unsubscribe(str(params.uri), context)
        return t.EmptyResult()

    async def listen(
        self, context: Context, params: t.SubscriptionsListenRequestParams
    ) -> t.SubscriptionsListenResult:
        """The newer era's stream of changes."""
        self._check_inboxes(context, [str(uri) for uri in params.notifications.resource_subscriptions or ()])
        return await self.sessions.listened(context, params)

    async def set_level(self, context: Context, params: t.SetLevelRequestParams) -> t.EmptyResult:
        """The older era's way to ask for fewer log messages."""
        self.sessions.set_level(params.level, context)
        return t.EmptyResult()

    async def list_prompts(self, _: Context, __: t.PaginatedRequestParams | None) -> t.ListPromptsResult:
        """All of them."""
        return t.ListPromptsResult(prompts=list(prompts.PROMPTS))

    async def get_prompt(self, _: Context, params: t.GetPromptRequestParams) -> t.GetPromptResult:
        """One, filled in."""
        return await _or_error(prompts.prompt(self.house, params.name, params.arguments or {}))

    def _check_inboxes(self, context: Context, uris: list[str]) -> None:
        caller = caller_of(context)
        try:
            caller.need(VIEWER, "a subscription")
            for uri in uris:
                resources.check_inbox(caller, uri)
        except OpcodeError as error:
            raise _as_protocol_error(error) from None


def caller_of(context: Context) -> Caller:
    """Who the request came from; on standard input that is the user of this machine."""
    request = context.request
    if request is None:
        return Caller("stdio", ADMIN)
    caller: Caller = request.scope["opcode.caller"]
    return caller


def _described(name: str) -> t.Tool:
    tool = TOOLS[name]
    return t.Tool(
        name=name,
        title=tool.title,
        description=tool.description,
        input_schema=dict(tool.input_schema),
        output_schema=dict(tool.output_schema),
        annotations=t.ToolAnnotations(
            title=tool.title,
            read_only_hint=tool.read_only,
            destructive_hint=False if tool.read_only else tool.destructive,
            idempotent_hint=tool.idempotent,
            open_world_hint=tool.open_world,
        ),
    )


def _progress(context: Context) -> Progress | None:
    meta = context.meta
    if not meta or (meta.get("progress_token") is None and meta.get("progressToken") is None):
        return None

    async def progress(done: float, total: float | None, message: str) -> None:
        await context.session.report_progress(done, total, message)

    return progress


async def _or_error(work: Awaitable[T]) -> T:
    try:
        return await work
    except OpcodeError as error:
        raise _as_protocol_error(error) from None


def _as_protocol_error(error: OpcodeError) -> MCPError:
    return MCPError(t.INVALID_PARAMS, clean_text(str(error)), clean(error.to_dict()))
