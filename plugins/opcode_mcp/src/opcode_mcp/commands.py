"""`opcode tools`."""

from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any

import click

from opcode_core import ErrorCode, OpcodeError
from opcode_core.hosting import (
    JSON,
    Usage,
    asking_engine,
    count,
    current_settings,
    print_json,
    printable,
    runfile,
    say,
)

if TYPE_CHECKING:
    from opcode_core import Engine, Provided
    from opcode_mcp.source import ToolServers

PATIENCE = 5.0
"""Seconds beyond its own time to get ready in which a running OPCODE server has to tell how a tool server is."""
MARKS = {"active": "✓", "inactive": "·", "error": "✗"}


@click.group(
    "tools", short_help="MCP servers whose tools are actions: add, look at, approve, restart, remove."
)
def command() -> None:
    """Tools of MCP servers are actions: the tool T of the server S is the action S.T."""


@command.command("add", context_settings={"ignore_unknown_options": True})
@click.argument("server_id", metavar="ID")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="URL | -- COMMAND [ARG …]")
@click.option(
    "--env", "env", multiple=True, metavar="NAME=VALUE", help="A variable; secrets as ${{secrets.NAME}}."
)
@click.option(
    "--header", "headers", multiple=True, metavar="NAME=VALUE", help="With a URL: a header, likewise."
)
@click.option(
    "--transport", type=click.Choice(["http", "sse"]), help="With a URL; sse when its path ends in /sse."
)
@click.option("--cwd", metavar="FOLDER", help="Where the command is started.")
@click.option(
    "--timeout", metavar="TIME", help="For a call where its step says nothing, as 30s; 5m by default."
)
@click.option("--startup", metavar="TIME", help="To get ready; 30s by default.")
@JSON
def add(server_id: str, words: tuple[str, ...], as_json: bool, **options: Any) -> int:
    """Add a server, start it, and let its tools of this moment be called."""
    config = _config(server_id, words, options)
    provided = _done(_add(config))
    if as_json:
        print_json(_shown(provided))
    else:
        click.echo(_line(provided))
        for tool in provided.tools:
            click.echo(f"  {printable(f'{provided.id}.{tool}')}")
    return 1 if provided.health == "error" else 0


@command.command("list")
@JSON
def list_(as_json: bool) -> int:
    """Every server and how it is."""
    found = _done(_overview())
    if as_json:
        print_json({"tool_servers": [_shown(provided) for provided in found]})
    elif not found:
        click.echo("no tool servers; add one: opcode tools add ID -- COMMAND [ARG …]")
    for provided in () if as_json else found:
        click.echo(_line(provided))
    return 0


@command.command("show")
@click.argument("server_id", metavar="ID")
@JSON
def show(server_id: str, as_json: bool) -> int:
    """One server: its tools, and those that wait for approval."""
    provided, tools = _done(_show(server_id))
    if as_json:
        print_json({**_shown(provided), **tools})
        return 0
    click.echo(_line(provided))
    click.echo(f"  {printable(provided.where)}  ({provided.kind}, {provided.origin})")
    for name in provided.environment:
        click.echo(f"  is given {name}")
    for name, tool in tools["approved"].items():
        click.echo(printable(f"  {server_id}.{name}  [{tool['effect']}]  {_first_line(tool['description'])}"))
    for waiting in provided.waiting:
        _echo_waiting(provided.id, tools["waiting"][waiting.name], waiting.why)
    return 0


@command.command("remove")
@click.argument("server_id", metavar="ID")
@JSON
def remove(server_id: str, as_json: bool) -> int:
    """Stop a server and forget it, with the approvals of its tools."""
    _done(_change("remove", server_id))
    _say_done(as_json, {"id": server_id, "removed": True}, f"{server_id} is removed")
    return 0


@command.command("restart")
@click.argument("server_id", metavar="ID")
@JSON
def restart(server_id: str, as_json: bool) -> int:
    """Let the running OPCODE server start a tool server anew, at once."""
    _done(_change("restart", server_id))
    _say_done(as_json, {"id": server_id, "restarted": True}, f"{server_id} is started anew")
    return 0


@command.command("approve")
@click.argument("server_id", metavar="ID")
@click.argument("names", nargs=-1, metavar="[TOOL|HASH …]")
@JSON
def approve(server_id: str, names: tuple[str, ...], as_json: bool) -> int:
    """Let new and changed tools be called, by name or by the hash that `show` prints; all that wait when none is named."""
    approved = list(_done(_change("approve", server_id, list(names))))
    told = ", ".join(printable(name) for name in approved)
    what = f"{count(len(approved), 'tool')} of {server_id} approved: {told}" if approved else "no tool waits"
    _say_done(as_json, {"id": server_id, "approved": approved}, what)
    return 0


def _config(server_id: str, words: tuple[str, ...], options: Mapping[str, Any]) -> dict[str, Any]:
    from opcode_mcp.config import exposed, read_config

    if not words:
        raise Usage("what is to be started or reached? opcode tools add ID -- COMMAND [ARG …], or ID URL")
    config: dict[str, Any] = {"id": server_id}
    if len(words) == 1 and words[0].startswith(("http://", "https://")):
        config["url"] = words[0]
    else:
        config |= {"command": words[0], "args": list(words[1:])}
    pairs = {name: _pairs(options[name], name) for name in ("env", "headers")}
    rest = {name: options[name] for name in ("transport", "cwd", "timeout", "startup")}
    config |= {name: value for name, value in {**pairs, **rest}.items() if value}
    try:
        server = read_config(config)
    except OpcodeError as error:
        raise Usage(error.message) from None
    for name in exposed(server):
        say(f"{name} is stored as it is; keep a secret in the vault and write {name}='${{{{secrets.NAME}}}}'")
    return config


def _pairs(given: tuple[str, ...], option: str) -> dict[str, str]:
    found = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals:
            raise Usage(f"--{option.removesuffix('s')} {pair!r}: write NAME=VALUE")
        found[name] = value
    return found


def _done(work: Coroutine[Any, Any, Any]) -> Any:
    import asyncio  # not for `opcode --help`

    return asyncio.run(work)


def _source(engine: "Engine") -> "ToolServers":
    from opcode_mcp.source import ToolServers

    found = [each for each in engine.registry.provider_sources if isinstance(each, ToolServers)]
    if not found:
        raise Usage("the plugin mcp is not in use; `opcode plugins list` shows why")
    return found[0]


async def _overview() -> "list[Provided]":
    async with asking_engine() as engine:
        return list(await _source(engine).overview(engine.storage))


async def _one(engine: "Engine", server_id: str) -> "Provided":
    from opcode_core.hosting import did_you_mean

    found = {each.id: each for each in await _source(engine).overview(engine.storage)}
    if server_id not in found:
        hint = did_you_mean(server_id, found) or "`opcode tools list` shows which there are"
        raise OpcodeError(ErrorCode.NOT_FOUND, f"there is no tool server '{server_id}'; {hint}")
    return found[server_id]


async def _show(server_id: str) -> "tuple[Provided, dict[str, Any]]":
    from opcode_mcp.book import Book

    async with asking_engine() as engine:
        provided = await _one(engine, server_id)
        pins = await Book(engine.storage).pins(server_id)
        kinds = {"approved": pins.approved, "waiting": pins.waiting}
        return provided, {
            kind: {name: tool.to_json() for name, tool in sorted(tools.items())}
            for kind, tools in kinds.items()
        }


async def _change(what: str, server_id: str, *arguments: Any) -> Any:
    async with asking_engine() as engine:
        return await getattr(_source(engine), what)(engine.storage, server_id, *arguments)


async def _add(config: Mapping[str, Any]) -> "Provided":
    """Remember it; then either the running OPCODE server starts it, or it is tried out here."""
    async with asking_engine() as engine:
        source = _source(engine)
        engine.registry.check_prefix(str(config["id"]))
        server_id = await source.add(engine.storage, config)
        if runfile.find(current_settings().storage_url) is not None:
            await _told(engine, server_id)
            return await _one(engine, server_id)
        await engine.recall_providers()
        fleet = source.fleet(engine.storage)
        fleet.vault = engine.vault
        link = fleet.links[server_id]
        link.start()
        try:
            await link.settled(link.server.startup + PATIENCE)
            return await _one(engine, server_id)
        finally:
            await fleet.stop()


async def _told(engine: "Engine", server_id: str) -> None:
    """Until the running OPCODE server says how it is."""
    import asyncio

    from opcode_mcp.book import Book

    book = Book(engine.storage)
    server = (await book.entries())[server_id].server
    until = asyncio.get_running_loop().time() + PATIENCE + (server.startup if server else 0.0)
    while asyncio.get_running_loop().time() < until:
        state = (await book.states()).get(server_id, {})
        if state.get("health", "inactive") != "inactive":
            return
        await asyncio.sleep(0.1)


def _shown(provided: "Provided") -> dict[str, Any]:
    from dataclasses import asdict

    shown = asdict(provided)
    return {**shown, "state": shown.pop("health")}


def _line(provided: "Provided") -> str:
    waiting = f", {len(provided.waiting)} waiting for approval" if provided.waiting else ""
    detail = f": {printable(provided.detail)}" if provided.detail else ""
    tools = count(len(provided.tools), "tool")
    return f"{MARKS[provided.health]} {provided.id}  {provided.health}  {tools}{waiting}{detail}"


def _echo_waiting(server_id: str, tool: Mapping[str, Any], why: str) -> None:
    import json

    from opcode_mcp.book import SHORT_HASH

    click.echo(printable(f"  {tool['name']} is {why} and waits for approval  [{tool['effect']}]"))
    for line in tool["description"].splitlines():
        click.echo(f"    {printable(line)}")
    click.echo(f"    params {printable(json.dumps(tool['params_schema'], ensure_ascii=False))}")
    click.echo(f"    opcode tools approve {server_id} {tool['hash'][:SHORT_HASH]}")


def _first_line(text: str) -> str:
    line = text.strip().partition("\n")[0]
    return line if len(line) <= 100 else f"{line[:100]}…"


def _say_done(as_json: bool, answer: Mapping[str, Any], text: str) -> None:
    if as_json:
        print_json(answer)
    else:
        click.echo(text)
