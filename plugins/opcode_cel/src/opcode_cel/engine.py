"""The engine named `cel`."""

from functools import lru_cache

from opcode_core import ErrorCode, OpcodeError, Overtime, Program, Timed

MAX_SOURCE = 64 * 1024
"""Bytes of one expression."""

CACHED_SOURCE = 2 * 1024
"""Longer expressions are compiled each time, so that the cache stays small in bytes too."""


class CelEngine:
    """Compiles CEL; the same source text gives the same program."""

    name = "cel"

    def __init__(self) -> None:
        self._overtime = Overtime(self.name, "opcode_cel.overtime:evaluate")
        self._cached = lru_cache(maxsize=1024)(self._compiled)

    def compile(self, source: str) -> Program:
        """Parse and check `source`.

        Raises:
            OpcodeError: VALIDATION_ERROR; `details` hold `line` and `column` where they are known.
        """
        if len(source) <= CACHED_SOURCE:
            return self._cached(source)
        if len(source.encode(errors="replace")) > MAX_SOURCE:
            raise OpcodeError(
                ErrorCode.VALIDATION_ERROR,
                f"an expression has at most {MAX_SOURCE // 1024} KiB, and this one has {len(source):,} characters",
            )
        return self._compiled(source)

    def close(self) -> None:
        """End the processes of long evaluations; a later one starts new ones."""
        self._overtime.close()

    def _compiled(self, source: str) -> Timed:
        # celpy takes most of a second to import: not before there is something to compile.
        from opcode_cel.program import compile_program

        return Timed(compile_program(source), self._overtime)
