"""What this package adds: the service that fires, triggers of templates, routes, and `opcode schedule`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from opcode_core import Service, Trigger, hookimpl

if TYPE_CHECKING:
    import click

    from opcode_core import Engine


@hookimpl
def opcode_services(engine: "Engine") -> "Sequence[Service]":
    """The one that waits for the next time."""
    from opcode_scheduler.service import Scheduler

    return [Scheduler(engine)]


@hookimpl
def opcode_triggers() -> "Sequence[Trigger]":
    """`cron` and `webhook`."""
    from opcode_scheduler.triggers import CronTriggers
    from opcode_scheduler.webhook import Webhooks

    return [CronTriggers(), Webhooks()]


@hookimpl
def opcode_routes(app: Any) -> None:
    """Webhooks, and schedules over REST."""
    from opcode_scheduler.routes import add_to

    add_to(app)


@hookimpl
def opcode_commands(cli: "click.Group") -> None:
    """`schedule`."""
    from opcode_scheduler.commands import command

    cli.add_command(command)
