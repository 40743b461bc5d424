"""The engine named `jq`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from opcode_core import ErrorCode, Guarded, OpcodeError, Program, dumps, loads
from opcode_jq.reach import Paths, reach
from opcode_jq.view import view

MAX_SOURCE = 16 * 1024
"""Characters of a program. What jq needs to compile one grows faster than its length."""

CHECK_SECONDS = 0.1
"""How long `compile` may keep its caller waiting."""

_LONG_NUMBER = re.compile(r"\d{19}|\d[eE]\+?\d{3}")
_SHOWN = 500


class JqEngine:
    """Compiles and runs jq programs in guarded processes.

    `compile` asks such a process whether the program is one, and blocks for that: some
    milliseconds for a new program, a tenth of a second at most, nothing for a known one. jq
    must not compile in this process, which a program of ten characters can end ('"x" * 1e9' is
    computed while it is compiled). A program whose check takes too long is not refused: it is
    checked again when it is evaluated.
    """

    name = "jq"

    def __init__(self, *, seconds: float = 1.0, memory: int = 256 * 2**20) -> None:
        self._guarded = Guarded("opcode_jq.evaluation:evaluate", name="jq", seconds=seconds, memory=memory)
        self._cached = lru_cache(maxsize=512)(self._compiled)

    def compile(self, source: str) -> Program:
        """Check `source`.

        Raises:
            OpcodeError: VALIDATION_ERROR.
        """
        if len(source) > MAX_SOURCE:
            raise OpcodeError(
                ErrorCode.VALIDATION_ERROR,
                f"a jq program has at most {MAX_SOURCE // 1024} KiB, and this one has {len(source):,} characters",
            )
        return self._cached(source)

    def close(self) -> None:
        """End the processes; a later program starts new ones."""
        self._guarded.close()

    def _compiled(self, source: str) -> "JqProgram":
        try:
            self._guarded.ask({"source": source}, CHECK_SECONDS)
        except OpcodeError as error:
            if error.code is not ErrorCode.TIMEOUT_ERROR:
                raise _about(error, source) from None
        return JqProgram(self._guarded, source, reach(source))


@dataclass(frozen=True, slots=True)
class JqProgram:
    """A program, which the guarded processes keep compiled under its text.

    Attributes:
        paths: what it can touch of its input, None when that may be everything.
    """

    guarded: Guarded
    source: str
    paths: Paths | None

    async def evaluate(self, scope: Mapping[str, Any]) -> Any:
        """What it puts out: the value, a list of several values, None for no value.

        Its input is `data` where that is given, and else the scope.

        Raises:
            OpcodeError: EXECUTION_ERROR, TIMEOUT_ERROR; VALIDATION_ERROR when `compile` could not tell.
        """
        data = scope.get("data")
        seen = view(scope, self.paths, self.source) if data is None else data
        try:
            # The process needs the text for jq and nothing else: it need not be read there.
            text = dumps(seen).decode()
            values = [_value(one) for one in await self.guarded.call({"source": self.source, "input": text})]
        except OpcodeError as error:
            raise _about(error, self.source) from None
        except ValueError as error:
            failure = OpcodeError(ErrorCode.EXECUTION_ERROR, f"jq: {error}")
            raise _about(failure, self.source) from None
        return values if len(values) > 1 else values[0] if values else None


def _value(text: str) -> Any:
    """One output; numbers beyond 64 bits, which jq keeps as they are, become doubles."""
    value = loads(text)
    return _narrow(value) if _LONG_NUMBER.search(text) else value


def _narrow(value: Any) -> Any:
    if isinstance(value, list):
        return [_narrow(item) for item in value]
    if isinstance(value, dict):
        return {key: _narrow(item) for key, item in value.items()}
    if type(value) is int and not -(2**63) <= value < 2**64:
        return float(value)
    return value


def _about(error: OpcodeError, source: str) -> OpcodeError:
    shown = source if len(source) <= _SHOWN else f"{source[: _SHOWN - 1]}…"
    return OpcodeError(error.code, error.message, details={**error.details, "expression": shown})
