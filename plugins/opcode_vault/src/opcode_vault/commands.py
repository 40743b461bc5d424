"""`opcode secret`."""

import os
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import click

from opcode_core.hosting import JSON, Usage, asking_engine, count, print_json, say
from opcode_vault.keys import ITERATIONS, MOST_ITERATIONS, VARIABLE, no_passphrase, passphrase
from opcode_vault.names import SHORT, check_name, check_value, not_found

if TYPE_CHECKING:
    from opcode_vault.vault import SecretVault

NEW_VARIABLE = "OPCODE_VAULT_NEW_KEY"
WEAK = 12
"""Characters of a passphrase that is soon guessed."""


@click.group("secret", short_help="Set, list, delete and rotate secrets; values are never shown.")
def command() -> None:
    """Secrets are stored encrypted; OPCODE_VAULT_KEY is the passphrase. Workflows read ${{secrets.NAME}}."""


@command.command("set", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("rest", nargs=-1, type=click.UNPROCESSED, metavar="")
@click.option("--from-env", metavar="VAR", help="Take the value of this variable.")
@JSON
def set_(name: str, rest: tuple[str, ...], from_env: str | None, as_json: bool) -> int:
    """Store or replace a secret. Its value comes from standard input, at a terminal from a hidden prompt."""
    if rest or "=" in name:
        raise Usage("a value is no argument, where others could read it; give it on standard input")
    check_name(name)
    if not passphrase():
        raise no_passphrase(f"the secret '{name}' cannot be stored")
    value = _from_environment(from_env) if from_env is not None else _from_input(name)
    check_value(value)
    created = _done(_set(name, value))
    if len(value) < SHORT:
        say(f"the value of {name} has fewer than {SHORT} characters, too few to be hidden reliably")
    if as_json:
        print_json({"name": name, "created": created})
    else:
        click.echo(f"{name} is {'stored' if created else 'replaced'}")
    return 0


@command.command("list")
@JSON
def list_(as_json: bool) -> int:
    """The names, and when each was set."""
    from opcode_core.hosting import iso  # not for `opcode --help`

    entries = _done(_entries())
    if as_json:
        print_json({"secrets": [{"name": name, "updated_at": iso(at)} for name, at in entries.items()]})
    for name, at in () if as_json else entries.items():
        click.echo(f"{iso(at)}  {name}")
    return 0


@command.command("delete")
@click.argument("name")
@JSON
def delete(name: str, as_json: bool) -> int:
    """Remove a secret; a step that reads it fails from then on."""
    _done(_delete(name))
    if as_json:
        print_json({"name": name, "deleted": True})
    else:
        click.echo(f"{name} is deleted")
    return 0


@command.command("rotate")
@click.option(
    "--iterations",
    type=click.IntRange(ITERATIONS, MOST_ITERATIONS),
    help="Rounds of PBKDF2 from now on; never fewer than before.",
)
@JSON
def rotate(iterations: int | None, as_json: bool) -> int:
    """Encrypt everything anew under another passphrase: OPCODE_VAULT_NEW_KEY, or what is typed at a prompt.

    OPCODE_VAULT_KEY is the one until now. Running servers need the new one, and a restart.
    """
    new = os.environ.get(NEW_VARIABLE) or _typed_passphrase()
    _warn_if_weak(new)
    secrets = _done(_rotate(new, iterations))
    if as_json:
        print_json({"secrets": secrets})
    else:
        click.echo(f"{count(secrets, 'secret')} under the new passphrase; give it to servers as {VARIABLE}")
    return 0


def _from_environment(variable: str) -> str:
    if variable not in os.environ:
        raise Usage(f"--from-env: the variable {variable} is not set")
    return os.environ[variable]


def _from_input(name: str) -> str:
    if sys.stdin.isatty():
        typed: str = click.prompt(f"value of {name}", hide_input=True, confirmation_prompt=True, err=True)
        return typed
    try:
        text = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError:
        raise Usage("the value is not UTF-8 text; encode it, as with base64") from None
    line = text.removesuffix("\n").removesuffix("\r")
    return text if "\n" in line else line  # what ends a single line is not meant; a file is kept as it is


def _typed_passphrase() -> str:
    if not sys.stdin.isatty():
        raise Usage(f"where is the new passphrase? set {NEW_VARIABLE}, or call this at a terminal")
    typed: str = click.prompt("new passphrase", hide_input=True, confirmation_prompt=True, err=True)
    return typed


def _warn_if_weak(given: str) -> None:
    if 0 < len(given) < WEAK:
        say(f"the passphrase has fewer than {WEAK} characters; who has the database may guess it")


def _done(work: Coroutine[Any, Any, Any]) -> Any:
    import asyncio  # not for `opcode --help`

    return asyncio.run(work)


@asynccontextmanager
async def _vault() -> "AsyncIterator[SecretVault]":
    """The vault on the storage of the settings, opened if there is a passphrase."""
    from opcode_vault.vault import SecretVault

    async with asking_engine() as engine:
        if not isinstance(engine.vault, SecretVault):
            raise Usage("the secrets are kept by another plugin; `opcode plugins list` shows which")
        await engine.vault.verify()
        yield engine.vault


async def _set(name: str, value: str) -> bool:
    async with _vault() as vault:
        names = await vault.names()
        await vault.set(name, value)
    if not names:
        _warn_if_weak(passphrase())
    return name not in names


async def _entries() -> dict[str, float]:
    async with _vault() as vault:
        return await vault.entries()


async def _delete(name: str) -> None:
    async with _vault() as vault:
        if not await vault.delete(name):
            raise not_found(name, await vault.names())


async def _rotate(new: str, iterations: int | None) -> int:
    async with _vault() as vault:
        return await vault.rotate(new, iterations)
