"""Errors as the command line tells them: one clear line, what to do, an exit code."""

import io
import json
import logging
import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from opcode_core.logs import printable

if TYPE_CHECKING:
    from opcode_core.issues import Issue

DONE, FAILED, USAGE, SUSPENDED = 0, 1, 2, 3


class Usage(click.UsageError):
    """The command was called wrongly, or what it needs is not installed."""


def explain(error: BaseException) -> int:
    """Write what went wrong to standard error, with --json also to standard output; give the exit code."""
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    if isinstance(error, click.ClickException):
        say(error.format_message())
        if isinstance(error, click.UsageError) and error.ctx is not None and not isinstance(error, Usage):
            print(f"        {error.ctx.get_usage()}", file=sys.stderr)
        _tell_programs({"code": "VALIDATION_ERROR", "message": error.format_message()})
        return USAGE
    if isinstance(error, click.Abort | KeyboardInterrupt):
        say("stopped")
        _tell_programs({"code": "CANCELLED", "message": "stopped"})
        return FAILED
    return _explain_failure(error)


def say(message: str) -> None:
    """One line on standard error."""
    print(f"opcode: {printable(message)}", file=sys.stderr)


def say_faults(what: str, faults: "Iterable[Issue]") -> None:
    """Everything that is wrong with a workflow."""
    lines = [printable(str(fault)) for fault in faults]
    say(f"{what} has {count(len(lines), 'fault')}")
    for line in lines:
        print(f"  {line}", file=sys.stderr)


def say_warnings(warnings: "Iterable[Issue]") -> None:
    """What is allowed in a workflow, but hardly meant."""
    for warning in warnings:
        print(f"  warning: {printable(str(warning))}", file=sys.stderr)


def count(number: int, noun: str) -> str:
    """`1 fault`, `2 faults`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def spell_out_what_cannot_be_shown() -> None:
    """Let a pipe in another encoding get an escape for what it cannot hold, instead of an error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _explain_failure(error: BaseException) -> int:
    from opcode_core.errors import OpcodeError
    from opcode_core.issues import InvalidDefinition

    if isinstance(error, InvalidDefinition):
        say_faults("the workflow", error.issues)
    elif isinstance(error, OpcodeError):
        say(str(error))
        for issue in error.details.get("issues", [])[1:]:
            print(f"  {printable(issue['path'])}: {printable(issue['message'])}", file=sys.stderr)
    else:
        return _explain_bug(error)
    _tell_programs(error.to_dict())
    return FAILED


def _explain_bug(error: BaseException) -> int:
    asked_for = os.environ.get("OPCODE_LOG_LEVEL", "").lower() == "debug"
    if asked_for or logging.getLogger("opcode").isEnabledFor(logging.DEBUG):
        import traceback

        traceback.print_exception(error)
    message = f"this is a bug: {type(error).__name__}: {error}"
    say(f"{message} (OPCODE_LOG_LEVEL=debug shows where)")
    _tell_programs({"code": "EXECUTION_ERROR", "message": message})
    return FAILED


def _tell_programs(error: Mapping[str, Any]) -> None:
    """Who asked for --json gets JSON, also where the arguments were wrong and no command was reached."""
    if "--json" in sys.argv[1:]:
        whole = {"code": error["code"], "message": error["message"], "details": {}, "step_id": None, **error}
        print(json.dumps({"error": whole}, indent=2, default=str))
