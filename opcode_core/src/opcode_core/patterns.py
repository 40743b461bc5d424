"""Regular expressions that take time linear in the text (RE2's), and not too much of it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

MOST_CHARACTERS = 4096
"""Of a pattern."""
MOST_WORK = 100_000_000
"""Characters of the text times steps of the pattern's program: half a second, where RE2 is slowest."""
MOST_MEMORY = 4 * 1024 * 1024
"""Bytes for the program of a pattern, and for what it remembers of a text."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, ready."""

    compiled: Any

    def work(self, text: str) -> int:
        """How much a search costs: characters times steps.

        Raises:
            ValueError: too much.
        """
        work = len(text) * int(self.compiled.programsize)
        if work > MOST_WORK:
            most = MOST_WORK // self.compiled.programsize
            raise ValueError(
                f"the text has {len(text):,} characters, and this pattern takes at most {most:,}"
            )
        return work

    def search(self, text: str) -> Any:
        """The first match somewhere in `text`, or None.

        Raises:
            ValueError: it would take too long, or the text cannot be UTF-8.
        """
        self.work(text)
        try:
            return self.compiled.search(text)
        except UnicodeEncodeError:
            raise ValueError("the text holds half a character, which no pattern takes") from None


@lru_cache(maxsize=64)
def pattern(source: str) -> Pattern:
    """What RE2 reads in `source`: no look-around and no back-references.

    Raises:
        ValueError: RE2 cannot read it; why, in its words.
    """
    import re2  # type: ignore[import-untyped]

    if len(source) > MOST_CHARACTERS:
        raise ValueError(f"it has more than {MOST_CHARACTERS:,} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MOST_MEMORY
    try:
        return Pattern(re2.compile(source, options=options))
    except re2.error as error:
        reason = error.args[0] if error.args else "it is malformed"
        raise ValueError(reason.decode(errors="replace") if isinstance(reason, bytes) else reason) from None
    except UnicodeEncodeError:
        raise ValueError("it holds half a character") from None
