"""What a person hands to a command: files, standard input, `key=value`."""

import sys
from pathlib import Path
from typing import Any

from opcode_core.cli.problems import Usage
from opcode_core.codec import loads


def read_source(name: str) -> bytes | None:
    """The content of a file, or of standard input for `-`; None when there is no such file.

    Raises:
        Usage: when it cannot be read, or is surely meant as a file and is none.
    """
    if name == "-":
        return sys.stdin.buffer.read()
    path = Path(name)
    if path.is_dir() or not path.exists():
        if path.suffix in (".json", ".jsonc") or "/" in name:
            raise Usage(f"there is no file {name}")
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise Usage(f"{name} cannot be read: {error.strerror}") from None


def read_file(name: str) -> bytes:
    """The content of a file, or of standard input for `-`.

    Raises:
        Usage: when there is none, or it cannot be read.
    """
    source = read_source(name)
    if source is None:
        raise Usage(f"there is no file {name}")
    return source


def read_object(name: str, option: str) -> dict[str, Any]:
    """The JSON object in a file; `option` is what asked for it.

    Raises:
        Usage: when it holds anything else.
    """
    try:
        value = loads(read_file(name))
    except ValueError as error:
        raise Usage(f"{option} {name}: not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Usage(f"{option} {name} must hold a JSON object")
    return value


def read_params(pairs: tuple[str, ...], file: str | None) -> dict[str, Any]:
    """`-p key=value` over `--params FILE`; a value is JSON where it is JSON, `@file` is a file's text.

    Raises:
        Usage: for a pair without `=` or a file that cannot be read.
    """
    params = {} if file is None else read_object(file, "--params")
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise Usage(f"-p {pair!r}: write key=value")
        params[key] = _value(value)
    return params


def _value(text: str) -> Any:
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text("utf-8")
        except OSError as error:
            raise Usage(f"{text[1:]} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise Usage(f"{text[1:]} cannot be read: it is not UTF-8 text") from None
    try:
        return loads(text)
    except ValueError:
        return text
