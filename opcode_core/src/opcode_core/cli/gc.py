"""`opcode gc`."""

import asyncio

import click

from opcode_core.cli.problems import DONE, Usage, count
from opcode_core.cli.screen import print_json
from opcode_core.cli.session import JSON, engine, settings
from opcode_core.cli.tally import tally
from opcode_core.durations import format_duration, parse_duration


@click.command("gc")
@click.option("--older-than", metavar="TIME", help="Ended longer ago than this, as 30d [OPCODE_RETENTION].")
@click.option("--dry-run", is_flag=True, help="Only count them.")
@JSON
def command(older_than: str | None, dry_run: bool, as_json: bool) -> int:
    """Delete the runs that ended long ago, with their events, decisions and messages.

    Templates stay, and so do runs that another one which goes on belongs to.
    """
    age = _age(older_than)
    found = asyncio.run(_gc(age, dry_run=dry_run))
    if as_json:
        print_json({"older_than_seconds": age, "dry_run": dry_run, "count": found})
        return DONE
    what = f"{count(found, 'run')} that ended more than {format_duration(age)} ago"
    print(f"{what} would be deleted" if dry_run else f"deleted {what}")
    return DONE


def _age(older_than: str | None) -> float:
    if older_than is None:
        age = settings().retention
        if age is None:
            raise Usage("say --older-than 30d, or set OPCODE_RETENTION: how long are runs kept?")
        return age
    try:
        return parse_duration(older_than)
    except ValueError as error:
        raise Usage(f"--older-than: {error}") from None


async def _gc(age: float, *, dry_run: bool) -> int:
    from opcode_core.engine.housekeeping import count_purgeable, purge

    async with engine() as ready:
        before = ready.clock.now() - age
        with tally("looked at" if dry_run else "deleted") as tell:
            return await (count_purgeable if dry_run else purge)(ready.storage, before, tell)
