"""In which language an expression is written, and the expression in it."""

from functools import lru_cache

from opcode_core.contracts.expression import Program
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.plugins.registry import Registry
from opcode_core.suggestions import available, did_you_mean

UNNAMED = ("python", "expr")
"""The languages of an expression whose language nobody names; `expr` is the one of older files."""


class Languages:
    """The installed expression engines, as steps ask for them."""

    def __init__(self, registry: Registry) -> None:
        self._engines = registry.engines
        # A language that cannot read an expression says so anew each time: in a loop it is asked once.
        self._guess = lru_cache(maxsize=512)(self._guessed)

    def program(self, language: str | None, expression: str) -> Program:
        """The expression in a language; when none is named, in the first of UNNAMED that can read it.

        Raises:
            OpcodeError: VALIDATION_ERROR for a language that is not installed or an expression that cannot
                be read; whatever else keeps the engine from saying.
        """
        language = language or self._guess(expression)
        if language not in self._engines:
            hint = did_you_mean(language, self._engines) or available(sorted(self._engines))
            raise OpcodeError(
                ErrorCode.VALIDATION_ERROR, f"the expression engine '{language}' is not installed; {hint}"
            )
        return self._engines[language].compile(expression)

    def _guessed(self, expression: str) -> str:
        """The first that can read it; when none can, the first, whose refusal is then the answer."""
        installed = [name for name in UNNAMED if name in self._engines]
        for name in installed:
            try:
                self._engines[name].compile(expression)
            except OpcodeError as error:
                if error.code is not ErrorCode.VALIDATION_ERROR:
                    raise
            else:
                return name
        return (installed or UNNAMED)[0]
