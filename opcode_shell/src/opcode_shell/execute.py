"""The action `shell.exec`."""

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from opcode_core import ActionContext, ErrorCode, Finished, OpcodeError, action, format_duration, loads
from opcode_shell.command import command_of
from opcode_shell.limits import SCHEMA as LIMITS_SCHEMA
from opcode_shell.limits import limits_of

_OUTPUT = {
    "type": "object",
    "properties": {
        "stdout": {"description": "parsed when it is JSON, else text"},
        "stdout_raw": {"type": "string"},
        "stderr": {"type": "string"},
        "exit_code": {"type": "integer", "description": "negative for a signal"},
        "duration_ms": {"type": "integer"},
        "killed": {"type": "boolean", "description": "it ran into its timeout or another limit"},
    },
    "required": ["stdout", "stdout_raw", "stderr", "exit_code", "duration_ms", "killed"],
}
_STDERR_SHOWN = 2000


@action("shell.exec", effect="external")
async def execute(
    ctx: ActionContext,
    command: Annotated[str, Field(min_length=1, description="A program, or a script with `shell`")],
    args: list[str | int | float | bool] | None = None,
    env: dict[str, str | int | float | bool | None] | None = None,
    cwd: str | None = None,
    stdin: Annotated[Any, Field(description="A text; anything else is sent as JSON")] = None,
    timeout: Annotated[str | float, Field(description='"30s", or seconds')] = "30s",
    shell: Annotated[bool, Field(description="Give `command` to /bin/sh -c")] = False,
    fail_on_error: bool = False,
    limits: Annotated[dict[str, Any] | None, WithJsonSchema(LIMITS_SCHEMA)] = None,
) -> Annotated[dict[str, Any], WithJsonSchema(_OUTPUT)]:
    """Run a command and give its output and exit code; a non-zero exit is a result unless `fail_on_error`."""
    line = command_of(command, args or [], env or {}, cwd, stdin, ctx.paths, shell=shell)
    bounds = limits_of(limits or {}, timeout, ctx.paths)
    finished = await ctx.isolator.run(line, bounds)
    for limit in finished.unkept:
        ctx.logger.warning("%s was not enforced: the isolator cannot do it on this machine", limit)
    output = _output(finished, line.max_output_bytes)
    if fail_on_error and (finished.killed or finished.exit_code != 0):
        raise _failed(command, output, bounds.timeout)
    return output


def _output(finished: Finished, kept: int) -> dict[str, Any]:
    text = finished.stdout.decode("utf-8", "replace")
    stderr = finished.stderr.decode("utf-8", "replace")
    if finished.truncated:
        stderr = _noted(stderr, f"only the first {kept} bytes of stdout and of stderr were kept")
    if finished.unkept:
        stderr = _noted(stderr, f"not enforced on this machine: {', '.join(finished.unkept)}")
    return {
        "stdout": _parsed(text),
        "stdout_raw": text,
        "stderr": stderr,
        "exit_code": finished.exit_code,
        "duration_ms": round(finished.duration * 1000),
        "killed": finished.killed,
    }


def _noted(stderr: str, note: str) -> str:
    return f"{stderr}\n[{note}]\n".lstrip("\n")


def _parsed(text: str) -> Any:
    try:
        return loads(text)
    except (ValueError, RecursionError):
        return text


def _failed(command: str, output: dict[str, Any], timeout: float | None) -> OpcodeError:
    end = output["stderr"].strip()[-_STDERR_SHOWN:]
    if output["killed"]:
        how = "ran into a limit and was killed"
        if timeout is not None:
            how += f" (its timeout was {format_duration(timeout)})"
    else:
        how = f"ended with exit code {output['exit_code']}"
    return OpcodeError(
        ErrorCode.EXECUTION_ERROR,
        f"{command!r} {how}" + (f": {end}" if end else ""),
        details={"exit_code": output["exit_code"], "killed": output["killed"], "stderr": end},
    )
