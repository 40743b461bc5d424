"""`opcode token`."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import click

from opcode_core import parse_duration
from opcode_core.hosting import JSON, Usage, asking_engine, print_json
from opcode_server.callers import ADMIN, OPERATOR, ROLES, Caller

if TYPE_CHECKING:
    from opcode_server.tokens import Token

MACHINE = Caller("command line", ADMIN)


@click.group("token", short_help="Make, list and revoke the tokens of agents.")
def command() -> None:
    """Tokens let agents in, each with a role. As soon as there is one, nobody gets in without."""


@command.command("create")
@click.option("--agent", required=True, help="The agent that it is for; it speaks for no other.")
@click.option("--role", default=OPERATOR, show_default=True, type=click.Choice(ROLES), help="What it may do.")
@click.option("--expires", metavar="TIME", help="After this time it is over, as 30d; never by default.")
@JSON
def create(agent: str, role: str, expires: str | None, as_json: bool) -> int:
    """Make a token; it is shown once and stored nowhere."""
    text, token = _done(_create(agent, role, _seconds(expires)))
    if as_json:
        print_json({"token": text, **_shown(token)})
    else:
        click.echo(text)
        click.echo(f"it lets {agent} in as {role}; it is not shown again", err=True)
    return 0


@command.command("list")
@JSON
def list_(as_json: bool) -> int:
    """Every token, without itself."""
    from opcode_core.hosting import iso

    tokens = _done(_all())
    if as_json:
        print_json({"tokens": [_shown(token) for token in tokens]})
    for token in () if as_json else tokens:
        over = f"until {iso(token.expires_at)}" if token.expires_at else ""
        click.echo(f"{token.id}  {token.role:8}  {token.agent_id}  {iso(token.created_at)}  {over}".rstrip())
    return 0


@command.command("revoke")
@click.argument("token_id", metavar="ID")
def revoke(token_id: str) -> int:
    """Let a token open nothing any more; a running server notices within seconds."""
    if not _done(_revoke(token_id)):
        raise Usage(f"there is no token '{token_id}'; `opcode token list` shows them")
    click.echo(f"{token_id} is revoked")
    return 0


def _done(work: Coroutine[Any, Any, Any]) -> Any:
    import asyncio  # not for `opcode --help`

    return asyncio.run(work)


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise Usage(f"--expires: {error}") from None


async def _create(agent: str, role: str, seconds: float | None) -> "tuple[str, Token]":
    from opcode_server.tokens import Tokens

    async with asking_engine() as engine:
        text, token = await Tokens(engine.storage).create(agent, role, engine.clock.now(), seconds)
        await _note(engine, "token.create", f"{token.id} {agent} {role}")
        return text, token


async def _all() -> "list[Token]":
    from opcode_server.tokens import Tokens

    async with asking_engine() as engine:
        return await Tokens(engine.storage).all()


async def _revoke(token_id: str) -> bool:
    from opcode_server.tokens import Tokens

    async with asking_engine() as engine:
        was_there = await Tokens(engine.storage).revoke(token_id)
        if was_there:
            await _note(engine, "token.revoke", token_id)
        return was_there


async def _note(engine: Any, what: str, about: str) -> None:
    from opcode_server.audit import Audit

    audit = Audit(engine.storage, engine.clock)
    audit.note(MACHINE, what, about)
    await audit.close()


def _shown(token: "Token") -> dict[str, Any]:
    from opcode_core.hosting import iso

    return {
        "id": token.id,
        "agent_id": token.agent_id,
        "role": token.role,
        "created_at": iso(token.created_at),
        "expires_at": iso(token.expires_at),
    }
