"""The `opcode` command: its subcommands are imported when they are called."""

import sys
from importlib import import_module
from typing import Any

import click

from opcode_core.cli.problems import Usage, explain, say, spell_out_what_cannot_be_shown

COMMANDS = {
    "run": "Run a workflow file or a template, and show its progress.",
    "validate": "Check a workflow file; list every fault with its path.",
    "define": "Store a workflow file as the next version of a template.",
    "status": "Show a run: every step, its tries, its error.",
    "signal": "Answer a decision, send data, cancel, retry or skip.",
    "resume": "Go on with what a crash or an interruption left.",
    "query": "List workflows, events, decisions or templates.",
    "diagram": "Draw a workflow file, a template or a run.",
    "eval": "Try an expression, also over a past run.",
    "schema": "Print the JSON Schema of workflow files, for editors.",
    "doctor": "Look for what is wrong, and say what to do.",
    "gc": "Delete runs that ended long ago.",
    "examples": "Look at example workflows, and try them without any service.",
    "plugins": "See what is installed, and what is wrong with it.",
    "version": "Print the version.",
}


class Commands(click.Group):
    """Built-in commands by name, and those that plugins add."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._asked = False

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a plugin's command; a name that is taken stays with whom it belongs to."""
        name = name or cmd.name or ""
        if name in COMMANDS or name in self.commands:
            owner = getattr(cmd.callback, "__module__", "a plugin")
            say(f"the command '{name}' of {owner} is left out: the name is taken")
        else:
            super().add_command(cmd, name)

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
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from opcode_core.suggestions import did_you_mean

            hint = did_you_mean(args[0], self.list_commands(ctx)) or "`opcode --help` lists them"
            raise click.UsageError(f"there is no command '{args[0]}'; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, without importing what it lists; help is there whatever is set wrongly."""
        try:
            names = self.list_commands(ctx)
        except Usage as error:
            say(error.format_message())
            names = list(COMMANDS)
        rows = [(name, COMMANDS.get(name) or self._about(name)) for name in names if self._shown(name)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _about(self, name: str) -> str:
        return self.commands[name].get_short_help_str(80)

    def _shown(self, name: str) -> bool:
        return name in COMMANDS or not self.commands[name].hidden

    def _ask_plugins(self) -> None:
        if self._asked:
            return
        from opcode_core.cli.session import plugin_manager

        for _ in plugin_manager().ask("opcode_commands", cli=self):
            """Each adds its commands to this group."""
        self._asked = True


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        ctx.exit(ctx.invoke(import_module("opcode_core.cli.version").command, as_json=False))


@click.command(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True
)
@click.option("--db-path", metavar="FILE", help="The SQLite file [OPCODE_DB_PATH, ~/.opcode/opcode.db].")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error [OPCODE_LOG_LEVEL].")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, hidden=True
)
@click.pass_context
def cli(ctx: click.Context, /, **_: Any) -> None:
    """OPCODE runs workflows: graphs of steps, written once as JSON, remembered step by step.

    Exit codes: 0 done, 1 failed, 2 usage, 3 suspended.
    """
    if ctx.invoked_subcommand is None:
        assert isinstance(ctx.command, Commands)
        serve = ctx.command.get_command(ctx, "serve")
        if serve is None:
            print(ctx.get_help())
        else:
            ctx.exit(ctx.invoke(serve))


def main() -> None:
    """Run the command line; what goes wrong becomes a sentence and an exit code."""
    spell_out_what_cannot_be_shown()
    try:
        code = cli.main(standalone_mode=False) or 0
        if sys.stdout is not None:
            sys.stdout.flush()  # here a reader that has gone away is still an error like others
    except Exception as error:  # the last stop of every error
        code = explain(error)
    sys.exit(code)
