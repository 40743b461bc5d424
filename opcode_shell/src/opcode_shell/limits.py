"""The limits of one command, from the params of `shell.exec`."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from opcode_core import ErrorCode, Limits, OpcodeError, PathPolicy, parse_duration

_PATHS = {"type": "array", "items": {"type": "string"}}
_PROPERTIES: dict[str, dict[str, Any]] = {
    "max_memory_bytes": {"type": "integer", "minimum": 1},
    "max_cpu_percent": {"type": "number", "exclusiveMinimum": 0},
    "max_pids": {"type": "integer", "minimum": 1},
    "timeout": {"type": ["string", "number"]},
    "allow_network": {"type": "boolean"},
    "read_only_paths": _PATHS,
    "writable_paths": _PATHS,
    "deny_paths": _PATHS,
}
SCHEMA = {"type": ["object", "null"], "properties": _PROPERTIES, "additionalProperties": False}


def limits_of(given: Mapping[str, Any], timeout: str | float | None, paths: PathPolicy) -> Limits:
    """The bounds in `given`, ended by the sooner of `timeout` and `given["timeout"]`, and those of `paths`.

    Raises:
        OpcodeError: VALIDATION_ERROR for an unknown name or a value that cannot be a bound,
            PATH_DENIED for a path beyond what `paths` allows the program itself.
    """
    known = {name: value for name, value in given.items() if value is not None}
    for name in known:
        if name not in _PROPERTIES:
            raise _unknown(name)
    return Limits(
        max_memory_bytes=_whole(known, "max_memory_bytes"),
        max_cpu_percent=_positive(known, "max_cpu_percent"),
        max_pids=_whole(known, "max_pids"),
        timeout=_sooner(_seconds("timeout", timeout), _seconds("limits.timeout", known.get("timeout"))),
        allow_network=_boolean(known, "allow_network", default=True),
        **_files(known, paths),
    )


def _files(given: Mapping[str, Any], paths: PathPolicy) -> dict[str, tuple[Path, ...]]:
    """What the step names, and never more than the program itself may touch; where it names nothing, just that."""
    read_only = [paths.readable_path(path) for path in _texts(given, "read_only_paths")]
    writable = [paths.writable_path(path) for path in _texts(given, "writable_paths")]
    deny = [PathPolicy().readable_path(path) for path in _texts(given, "deny_paths")]
    named = [*read_only, *writable]
    fixed = map(Path.expanduser, paths.read_only)
    read_only += [path for path in fixed if not named or any(path.is_relative_to(one) for one in named)]
    return {
        "read_only_paths": tuple(read_only),
        "writable_paths": tuple(writable if named else map(Path.expanduser, paths.writable)),
        "deny_paths": (*deny, *map(Path.expanduser, paths.deny)),
        "hidden_paths": _hidden(paths),
    }


def _hidden(paths: PathPolicy) -> tuple[Path, ...]:
    """What is OPCODE's own, unless a rule of the program names something in it."""
    named = [path.expanduser() for path in (*paths.read_only, *paths.writable)]
    own = [path.expanduser() for path in paths.own]
    return tuple(path for path in own if not any(name.is_relative_to(path) for name in named))


def _seconds(param: str, value: Any) -> float | None:
    if value is None:
        return None
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        raise _invalid(param, str(error)) from None
    if seconds == 0:
        raise _invalid(param, 'must be longer than 0; write it like "30s"')
    return seconds


def _sooner(one: float | None, other: float | None) -> float | None:
    return min((seconds for seconds in (one, other) if seconds is not None), default=None)


def _positive(given: Mapping[str, Any], name: str) -> float | None:
    value = given.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not value > 0):
        raise _invalid(f"limits.{name}", f"must be a number above 0, not {value!r}")
    return value


def _whole(given: Mapping[str, Any], name: str) -> int | None:
    value = _positive(given, name)
    if value is not None and value != int(value):
        raise _invalid(f"limits.{name}", f"must be a whole number, not {value!r}")
    return None if value is None else int(value)


def _boolean(given: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = given.get(name, default)
    if not isinstance(value, bool):
        raise _invalid(f"limits.{name}", f"must be true or false, not {value!r}")
    return value


def _texts(given: Mapping[str, Any], name: str) -> list[str]:
    value = given.get(name, [])
    if not isinstance(value, list) or not all(isinstance(path, str) and path for path in value):
        raise _invalid(f"limits.{name}", f"must be a list of paths, not {value!r}")
    return value


def _unknown(name: str) -> OpcodeError:
    near = get_close_matches(name, _PROPERTIES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(_PROPERTIES)}"
    return _invalid(f"limits.{name}", f"is not a limit; {hint}")


def _invalid(param: str, problem: str) -> OpcodeError:
    return OpcodeError(ErrorCode.VALIDATION_ERROR, f"{param}: {problem}", details={"param": param})
