"""Errors as the command line tells them: one clear line, what to do, an exit code."""

import os
import sys

import click

from opcode_core.logs import printable

DONE, FAILED, USAGE, SUSPENDED = 0, 1, 2, 3


class Usage(click.UsageError):
    """The command was called wrongly."""


def explain(error: BaseException) -> int:
    """Write what went wrong to standard error and give the exit code."""
    if isinstance(error, click.ClickException):
        say(error.format_message())
        if isinstance(error, click.UsageError) and error.ctx is not None:
            print(f"        {error.ctx.get_usage()}", file=sys.stderr)
        return USAGE
    if isinstance(error, click.Abort | KeyboardInterrupt):
        say("stopped")
        return FAILED
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return _explain_failure(error)


def say(message: str) -> None:
    """One line on standard error."""
    print(f"opcode: {printable(message)}", file=sys.stderr)


def _explain_failure(error: BaseException) -> int:
    from opcode_core.errors import OpcodeError
    from opcode_core.issues import InvalidDefinition

    if isinstance(error, InvalidDefinition):
        say(f"the workflow has {count(len(error.issues), 'fault')}")
        for issue in error.issues:
            print(f"  {printable(str(issue))}", file=sys.stderr)
        return FAILED
    if isinstance(error, OpcodeError):
        say(str(error))
        for issue in error.details.get("issues", [])[1:]:
            print(f"  {issue['path']}: {issue['message']}", file=sys.stderr)
        return FAILED
    if os.environ.get("OPCODE_LOG_LEVEL", "").lower() == "debug":
        import traceback

        traceback.print_exception(error)
    say(f"this is a bug: {type(error).__name__}: {error} (OPCODE_LOG_LEVEL=debug shows where)")
    return FAILED


def count(number: int, noun: str) -> str:
    """`1 fault`, `2 faults`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
