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

from cases import Case, chain, command_case, engine, guarded, loop, parallel, templated, workflow_case
from durable import crashed_runs, fold_from_disk, many_callers, many_writers, waiting_runs

OUT = Path(__file__).parent / "out" / "latest.json"


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
    for durability in ("normal", "full"):
        yield many_callers(durability)
        yield many_writers(durability)
    yield fold_from_disk()
    yield waiting_runs()
    yield crashed_runs()
    yield command_case("opcode --help", "--help")
    yield command_case("opcode version", "version")


def _repeat(count: int) -> int:
    return max(20, min(1000, 20_000 // count))


async def measure(case: Case) -> dict[str, Any]:
    """Median and 95th percentile of a case, in microseconds."""
    name, repeat, once = case
    for _ in range(max(2, repeat // 10) if repeat > 3 else 0):
        await once()
    gc.collect()
    taken = sorted([await once() for _ in range(repeat)])
    return {
        "name": name,
        "unit": "us",
        "median": round(statistics.median(taken) * 1e6, 1),
        "p95": round(taken[min(len(taken) - 1, int(len(taken) * 0.95))] * 1e6, 1),
        "runs": repeat,
    }


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
    print(f"{'case':<44} {'median':>12} {'p95':>12} {'runs':>6}")
    async for case in cases():
        if wanted and not any(part in case[0] for part in wanted):
            continue
        result = await measure(case)
        results.append(result)
        print(
            f"{result['name']:<44} {result['median']:>9.0f} us {result['p95']:>9.0f} us {result['runs']:>6}",
            flush=True,
        )
    OUT.parent.mkdir(exist_ok=True)
    found = machine()
    report = {"at": datetime.now(UTC).isoformat(), "machine": found, "results": results}
    OUT.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    print(f"\n{found['cpu']}, {found['cores']} cores, Python {found['python']}")
    print(f"written to {OUT}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
