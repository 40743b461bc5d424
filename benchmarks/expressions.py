"""What an expression costs: a plain guard, any other, one look into much data, and languages in guarded processes."""

import inspect
import time
from collections.abc import Mapping
from typing import Any

from cases import Case
from over_mcp import Budget

from opcode_core.plugins.manager import PluginManager
from opcode_core.scope import StepView

AT_ONCE = 200
"""Evaluations of one repetition, whose median is that of one."""

SMALL: Mapping[str, Any] = {
    "steps": {
        "fetch": StepView({"status": 200, "items": [{"price": n} for n in range(10)]}, "completed", None)
    },
    "inputs": {"limit": 5, "name": "Ada"},
    "workflow": {"run_id": "r"},
    "context": {},
}
LARGE: Mapping[str, Any] = {
    **SMALL,
    "steps": {"fetch": StepView({"status": 200, "items": [{"text": "x" * 80}] * 10_000}, "completed", None)},
}
"""About 1 MB of JSON in one step's output."""

GUARD = "steps.fetch.output.status == 200 && inputs.limit > 3"
PLAIN = "guard of two comparisons, cel"
COSTS: Mapping[str, tuple[str, str, Mapping[str, Any], float]] = {
    PLAIN: ("cel", GUARD, SMALL, 30),
    "a macro and a sum, cel": ("cel", "inputs.name + string(size([1, 2, 3].filter(n, n > 1)))", SMALL, 1000),
    "a filter of 10 items, cel": (
        "cel",
        "steps.fetch.output.items.filter(i, i.price > 4)[0].price",
        SMALL,
        1000,
    ),
    "one field of 1 MB, cel": ("cel", "string(steps.fetch.output.status) + inputs.name", LARGE, 1000),
    "a filter of 10 items, expr": (
        "expr",
        "filter(steps.fetch.output.items, {.price > 4})[0].price",
        SMALL,
        1000,
    ),
    "a filter of 10 items, jq": (
        "jq",
        ".steps.fetch.output.items | map(select(.price > 4))[0].price",
        SMALL,
        1000,
    ),
    "one field of 1 MB, jq": ("jq", ".steps.fetch.output.status", LARGE, 1000),
    "a filter of 10 items, python": (
        "python",
        "[i for i in steps['fetch'].output['items'] if i['price'] > 4][0]['price']",
        SMALL,
        2000,
    ),
}
"""Language, expression, scope, and what it may cost in microseconds, by the name of the case."""

EXPRESSION_BUDGETS: Mapping[str, Budget] = {name: Budget("us", limit) for name, (*_, limit) in COSTS.items()}


def expression_cases(plugins: PluginManager) -> list[Case]:
    """A case for each language that is installed and each of its expressions."""
    engines = plugins.registry().engines
    return [
        _case(name, engines[language].compile(source), scope)
        for name, (language, source, scope, _) in COSTS.items()
        if language in engines
    ]


def _case(name: str, program: Any, scope: Mapping[str, Any]) -> Case:
    async def once() -> float:
        begin = time.perf_counter()
        for _ in range(AT_ONCE):
            value = program.evaluate(scope)
            if inspect.isawaitable(value):
                await value
        return (time.perf_counter() - begin) / AT_ONCE

    return name, 20, once
