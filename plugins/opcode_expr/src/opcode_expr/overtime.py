"""What a guarded process does with an expression that takes long."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from opcode_core import work_overtime
from opcode_expr.program import compile_program

_compiled = lru_cache(maxsize=256)(compile_program)


def evaluate(request: Mapping[str, Any]) -> dict[str, Any]:
    """Its value, or its error."""
    return work_overtime(request, _compiled)


# All that is needed is loaded now, as nothing can be opened later.
compile_program("map([1], {# + 1}) | filter(# > 1) | len() > 0 and 'a' matches 'b'").evaluate({})
