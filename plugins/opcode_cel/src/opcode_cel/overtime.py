"""What a guarded process does with an expression that takes long."""

import difflib  # noqa: F401 - for hints, which import it when there is one to give
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from opcode_cel.program import compile_program
from opcode_core import work_overtime

_compiled = lru_cache(maxsize=256)(compile_program)


def evaluate(request: Mapping[str, Any]) -> dict[str, Any]:
    """Its value, or its error."""
    return work_overtime(request, _compiled)


# All that is needed is loaded now, as nothing can be opened later. A zone that somebody holds stays loaded.
ZONES = [ZoneInfo(key) for key in available_timezones()]
compile_program("[1].map(x, x).join('') == 'a'.upperAscii() || 'a'.matches('b') || json('1') == 1").evaluate(
    {}
)
