"""What the guarded process does: read, keep, evaluate."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache

from opcode_asteval.checks import Checked, check
from opcode_asteval.interpreter import value_of
from opcode_asteval.members import Step, Steps
from opcode_asteval.results import to_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def evaluate(request: dict[str, Any]) -> Any:
    """The value of `source` over `scope`; without a scope the names that it uses.

    Raises:
        SyntaxError: it is not an expression, or not one that is allowed.
        ValueError: it fails.
    """
    checked = _checked(request["source"])
    if "scope" in request:
        return to_json(value_of(checked, _names(request["scope"])))
    return {"names": checked.names, "steps": checked.steps}


@lru_cache(maxsize=512)
def _checked(source: str) -> Checked:
    return check(source)


def _names(scope: dict[str, Any]) -> dict[str, Any]:
    known = scope.pop("known steps", None)
    if "steps" in scope:
        steps = {step_id: Step(*parts) for step_id, parts in scope["steps"].items()}
        scope["steps"] = Steps(steps, known)
    return {"data": None, **scope}


# All that is needed is loaded now, as nothing can be opened later.
for _source in (
    "[f'{x!r:>5} {x:,.2f}' for x in (1.5,)]",
    "1 / 0",
    "data.x",
    "sorted({1, 2})[0] is None",
    "len(1)",
):
    with suppress(ValueError):
        evaluate({"source": _source, "scope": {}})
