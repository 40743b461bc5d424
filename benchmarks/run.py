"""`make bench`: run every case, print a table, write benchmarks/out/latest.json.

Arguments select cases by a part of their name. Figures of two runs are only comparable on the same
idle machine; compare two versions in one go.
"""

import asyncio
import gc
import json
import os
import platform
import statistics
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cases import (
    Case,
    bench_plugins,
    chain,
    command_case,
    engine,
    guarded,
    loop,
    parallel,
    templated,
    workflow_case,
)
from commands import COMMAND_BUDGETS, command_cases
from durable import crashed_runs, fold_from_disk, many_callers, many_writers, waiting_runs
from expressions import EXPRESSION_BUDGETS, expression_cases
from over_mcp import BUDGETS, Budget, mcp_cases

from panel import BUDGETS as PANEL_BUDGETS
from panel import panel_cases

OUT = Path(__file__).parent / "out" / "latest.json"
ALL_BUDGETS = {**BUDGETS, **EXPRESSION_BUDGETS, **COMMAND_BUDGETS, **PANEL_BUDGETS}


async def cases() -> AsyncIterator[Case]:
    """All cases; those of one engine share it."""
    for storage, label in (("memory", "memory"), ("normal", "sqlite normal"), ("full", "sqlite full")):
        async with engine(storage) as ready:
            sizes = (1, 10, 100, 500, 2000) if storage != "full" else (10, 100)
            for count in sizes:
                yield workflow_case(f"parallel {count}, {label}", _repeat(count), ready, parallel(count))
            for count in (5, 50, 500) if storage != "full" else (50,):
                yield workflow_case(f"chain {count}, {label}", _repeat(count), ready, chain(count))
            external = chain(10, action="bench.touch")
            yield workflow_case(f"chain of 10 external, {label}", 200, ready, external)
            if storage == "memory":
                yield workflow_case("chain 50 with templates, memory", 200, ready, templated(50))
                yield workflow_case("chain 50 with templates and guards, memory", 200, ready, guarded(50))
                yield workflow_case("loop of 1000, memory", 30, ready, loop(1000))
    for case in expression_cases(bench_plugins()):
        yield case
    for durability in ("normal", "full"):
        yield many_callers(durability)
        yield many_writers(durability)
    yield fold_from_disk()
    yield waiting_runs()
    yield crashed_runs()
    yield command_case("opcode --help", "--help")
    yield command_case("opcode version", "version")
    for case in mcp_cases():
        yield case
    for case in panel_cases():
        yield case
    for case in command_cases():
        yield case


def _repeat(count: int) -> int:
    return max(20, min(1000, 20_000 // count))


async def measure(case: Case) -> dict[str, Any]:
    """Median and 95th percentile of a case: in microseconds, or in the unit of its budget."""
    name, repeat, once = case
    budget = ALL_BUDGETS.get(name, Budget("us"))
    scale = 1e6 if budget.unit == "us" else 1
    for _ in range(max(2, repeat // 10) if repeat > 3 else 0):
        await once()
    gc.collect()
    taken = sorted([await once() * scale for _ in range(repeat)], reverse=budget.at_least)
    median = statistics.median(taken)
    result = {
        "name": name,
        "unit": budget.unit,
        "median": round(median, 2),
        "p95": round(taken[min(len(taken) - 1, int(len(taken) * 0.95))], 2),
        "runs": repeat,
    }
    if budget.limit is not None:
        result |= {"budget": str(budget), "kept": budget.is_kept(median)}
    return result


def line(result: dict[str, Any]) -> str:
    """A case's line of the table."""
    unit = result["unit"]
    median, p95 = (f"{value:.{0 if value >= 100 else 2}f}" for value in (result["median"], result["p95"]))
    shown = f"{result['name']:<52} {median:>9} {unit:<6} {p95:>9} {unit:<6} {result['runs']:>5}"
    if "budget" not in result:
        return shown
    return f"{shown}  {result['budget']}{'' if result['kept'] else '  NOT KEPT'}"


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    cpu = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
    }


async def main(wanted: list[str]) -> None:
    """Measure and report."""
    results = []
    print(f"{'case':<52} {'median':>16} {'p95':>16} {'runs':>5}  budget")
    async for case in cases():
        if wanted and not any(part in case[0] for part in wanted):
            continue
        result = await measure(case)
        results.append(result)
        print(line(result), flush=True)
    OUT.parent.mkdir(exist_ok=True)
    found = machine()
    report = {"at": datetime.now(UTC).isoformat(), "machine": found, "results": results}
    OUT.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    print(f"\n{found['cpu']}, {found['cores']} cores, Python {found['python']}")
    print(f"written to {OUT}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
