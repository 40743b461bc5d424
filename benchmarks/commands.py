"""What running a command costs: each isolator that works here, over a bare subprocess measured beside it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

from cases import Case, bench_plugins
from over_mcp import Budget

from opcode_core import Command, Isolator, Limits

TRUE = Command(argv=["/bin/true"], env={})
DEFAULT = Limits(timeout=30.0)
LIMITED = Limits(
    timeout=30.0, max_memory_bytes=2**30, max_cpu_percent=100.0, max_pids=64, allow_network=False
)
MOST = 10.0
"""Milliseconds that the limits which `shell.exec` always has may cost."""
COMMAND_BUDGETS = {
    f"command, {name}, over a bare one": Budget("ms", MOST) for name in ("process", "landlock", "cgroups")
} | {"command, cgroups, every limit, over a bare one": Budget("ms")}


def command_cases() -> Iterator[Case]:
    """One case an isolator, and one with every limit for those that keep them all."""
    yield "command, bare", 50, _bare
    for name, isolator in bench_plugins().registry().isolators.items():
        probe = isolator.probe()
        if not probe.works:
            print(f"command, {name}: not measured, for it does not work here: {dict(probe.layers)}")
            continue
        yield f"command, {name}, over a bare one", 50, _over(isolator, DEFAULT)
        if LIMITED.asked() <= (probe.keeps or frozenset()):
            yield f"command, {name}, every limit, over a bare one", 50, _over(isolator, LIMITED)


async def _bare() -> float:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *TRUE.argv,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.DEVNULL,
    )
    await process.communicate()
    return time.perf_counter() - began


def _over(isolator: Isolator, limits: Limits) -> Callable[[], Awaitable[float]]:
    async def once() -> float:
        bare = await _bare()
        began = time.perf_counter()
        done = await isolator.run(TRUE, limits)
        took = time.perf_counter() - began
        assert done.exit_code == 0, done.stderr
        return (took - bare) * 1000

    return once
