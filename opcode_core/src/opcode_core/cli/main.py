"""The `opcode` command: its subcommands are imported when they are called."""

import sys
from importlib import import_module
from typing import Any

import click

from opcode_core.cli.problems import explain

COMMANDS = {
    "run": "Run a workflow file or a template, and show its progress.",
    "validate": "Check a workflow file; list every fault with its path.",
    "define": "Store a workflow file as the next version of a template.",
    "status": "Show a run: every step, its tries, its error.",
    "query": "List workflows, events or templates.",
    "diagram": "Draw a workflow file, a template or a run.",
    "schema": "Print the JSON Schema of workflow files, for editors.",
    "plugins": "See what is installed, and what is wrong with it.",
    "version": "Print the version.",
}


class Commands(click.Group):
    """Built-in commands by name, and those that plugins add."""

    _asked = False

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Built-in commands first, in the order in which people meet them."""
        self._ask_plugins()
        return [*COMMANDS, *sorted(self.commands)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a built-in command; plugins are only asked for what is none."""
        if cmd_name in COMMANDS:
            command: click.Command = import_module(f"opcode_core.cli.{cmd_name}").command
            return command
        self._ask_plugins()
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Offer the nearest name for one that does not exist."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from opcode_core.suggestions import did_you_mean

            hint = did_you_mean(args[0], self.list_commands(ctx)) or "`opcode --help` lists them"
            raise click.UsageError(f"there is no command '{args[0]}'; {hint}", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, without importing what it lists."""
        rows = [
            (name, COMMANDS.get(name) or self.commands[name].get_short_help_str(80))
            for name in self.list_commands(ctx)
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _ask_plugins(self) -> None:
        if not self._asked:
            self._asked = True
            from opcode_core.cli.session import plugin_manager

            for _ in plugin_manager().ask("opcode_commands", cli=self):
                """Each adds its commands to this group."""


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)
@click.option("--db-path", metavar="FILE", help="The SQLite file [OPCODE_DB_PATH, ~/.opcode/opcode.db].")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error [OPCODE_LOG_LEVEL].")
@click.pass_context
def cli(ctx: click.Context, /, **flags: Any) -> None:
    """OPCODE runs workflows: graphs of steps, written once as JSON, remembered step by step.

    Exit codes: 0 done, 1 failed, 2 usage, 3 suspended.
    """
    ctx.obj = flags


def main() -> None:
    """Run the command line; what goes wrong becomes a sentence and an exit code."""
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except Exception as error:  # the last stop of every error
        sys.exit(explain(error))
