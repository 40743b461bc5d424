"""What is told to one agent reaches its sessions, over every transport, and no other agent's."""

import asyncio

import mcp_types as t
import pytest
from mcp.shared.exceptions import MCPError
from serving import ASK, NOTIFY, data


class Heard:
    """Collects what a client is told by the server."""

    def __init__(self):
        self.messages = []
        self.updated = []

    async def __call__(self, message):
        if isinstance(message, t.LoggingMessageNotification):
            self.messages.append(message.params.data["message"])
        if isinstance(message, t.ResourceUpdatedNotification):
            self.updated.append(str(message.params.uri))


async def eventually(condition, within=5.0):
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.01)


async def tell(client, agent, text):
    await client.call_tool("opcode.define", {"name": "tell", "definition": NOTIFY, "agent_id": agent})
    return data(
        await client.call_tool(
            "opcode.run", {"template_name": "tell", "agent_id": agent, "params": {"text": text}}
        )
    )


@pytest.mark.parametrize("transport", ["sse", "http", "stdio"])
async def test_a_notice_is_pushed_to_its_agent_alone(server, transport):
    ada, bob = Heard(), Heard()
    async with (
        server.client(transport, "legacy", message_handler=ada) as of_ada,
        server.client("sse", "legacy", message_handler=bob) as of_bob,
    ):
        await tell(of_bob, f"bob {transport}", "for bob")
        ran = await tell(of_ada, f"ada {transport}", "for ada")
        assert ran["output"]["tell"] == {"notified": True}
        await eventually(lambda: ada.messages and ada.updated)
    assert ada.messages == ["for ada"]
    assert ada.updated == [f"opcode://inbox/ada%20{transport}"]
    assert "for ada" not in bob.messages


@pytest.mark.parametrize("transport", ["sse", "http"])
async def test_the_newer_era_listens(server, transport):
    uri = f"opcode://inbox/eve%20{transport}"
    async with server.client(transport) as client, client.listen(resource_subscriptions=[uri]) as heard:
        ran = await tell(client, f"eve {transport}", "psst")
        assert ran["output"]["tell"] == {"notified": True}
        async with asyncio.timeout(5):
            event = await anext(aiter(heard))
    assert event.uri == uri


async def test_without_a_session_it_stays_in_the_inbox(server):
    async with server.client("http") as client:
        ran = await tell(client, "nobody is there", "later")
        notices = (await client.read_resource("opcode://inbox/nobody%20is%20there")).contents[0].text
    assert ran["output"]["tell"] == {"notified": False, "reason": "the agent has no live session"}
    assert '"later"' in notices


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
async def test_a_run_can_be_watched(server):
    heard = Heard()
    async with server.client("sse", "legacy", message_handler=heard) as client:
        await client.call_tool("opcode.define", {"name": "ask", "definition": ASK, "agent_id": "ada"})
        ran = data(await client.call_tool("opcode.run", {"template_name": "ask", "agent_id": "ada"}))
        uri = f"opcode://workflows/{ran['workflow_id']}"
        await client.subscribe_resource(uri)
        said = {"workflow_id": ran["workflow_id"], "signal_type": "cancel", "payload": {}}
        await client.call_tool("opcode.signal", said)
        await eventually(lambda: uri in heard.updated)
        await client.unsubscribe_resource(uri)


async def test_a_resource_that_is_not_there(server):
    async with server.client("http") as client:
        for uri in ("opcode://nothing", "opcode://templates/none", "opcode://workflows/none"):
            with pytest.raises(MCPError, match="NOT_FOUND"):
                await client.read_resource(uri)
        with pytest.raises(MCPError, match="VALIDATION_ERROR: task"):
            await client.get_prompt("write_workflow", {})
        with pytest.raises(MCPError, match="did you mean 'write_workflow'"):
            await client.get_prompt("write_workflo", {})
