"""The command line, from the params of `shell.exec`."""

import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from opcode_core import Command, ErrorCode, OpcodeError, PathPolicy, dumps

NEVER_INHERITED = frozenset({"OPCODE_VAULT_KEY", "OPCODE_TOKEN"})


def command_of(
    command: str,
    args: Sequence[Any],
    env: Mapping[str, Any],
    cwd: str | None,
    stdin: Any,
    paths: PathPolicy,
    *,
    shell: bool,
) -> Command:
    """What is to be run.

    Raises:
        OpcodeError: VALIDATION_ERROR for what no command can be given, PATH_DENIED for `cwd`.
    """
    if not command.strip():
        raise _invalid("command", "is empty; name a program")
    words = [_text(command, "command"), *(_text(arg, f"args[{i}]") for i, arg in enumerate(args))]
    return Command(
        argv=_through_sh(words) if shell else words,
        env=_environment(env),
        cwd=None if cwd is None else paths.readable_path(cwd),
        stdin=_stdin(stdin),
    )


def _through_sh(words: Sequence[str]) -> list[str]:
    # Only the command is the shell's to read; quoted, an argument stays the text that it is.
    command, *args = words
    return ["/bin/sh", "-c", " ".join([command, shlex.join(args)]) if args else command]


def _environment(added: Mapping[str, Any]) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if name not in NEVER_INHERITED}
    for name, value in added.items():
        if not name or "=" in name or "\0" in name:
            raise _invalid("env", f"has {name!r}, which cannot be the name of a variable")
        if value is None:
            env.pop(name, None)
        else:
            env[name] = _text(value, f"env.{name}")
    return env


def _stdin(value: Any) -> bytes:
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    try:
        return dumps(value)
    except ValueError as error:
        raise _invalid("stdin", f"cannot be sent as JSON: {error}") from None


def _text(value: Any, param: str) -> str:
    if isinstance(value, bool | int | float):
        return dumps(value).decode()
    if not isinstance(value, str):
        raise _invalid(param, f"must be a text, a number or a boolean, not {type(value).__name__}")
    if "\0" in value:
        raise _invalid(param, "holds a NUL character, which no command can be given; send it through stdin")
    return value


def _invalid(param: str, problem: str) -> OpcodeError:
    return OpcodeError(ErrorCode.VALIDATION_ERROR, f"{param} {problem}", details={"param": param})
