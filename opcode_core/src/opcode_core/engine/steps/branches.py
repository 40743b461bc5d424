"""Work side by side that fails together."""

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from opcode_core.engine.crew import Crew
from opcode_core.engine.failure import Halted, Parked, StepFailed, all_parked
from opcode_core.stop import Stop

if TYPE_CHECKING:
    from opcode_core.engine.run import Run

Work = Callable[[], Coroutine[Any, Any, None]]
"""Some work that can be called again, and then goes on where the log says that it stands."""


async def run_together(run: "Run", works: Sequence[Work], stop: Stop, name: str) -> None:
    """Wait for all. After the first failure nothing new begins, what is in flight ends, and it is raised.

    Work that waits while other work goes on is called again whenever the run is woken.

    Raises:
        Parked: when all that is left waits.
    """
    failures: list[StepFailed] = []
    halts: list[Halted] = []
    parked: dict[Work, Parked] = {}

    async def watched(work: Work) -> None:
        try:
            await work()
        except StepFailed as failed:
            stop.request("a step beside it failed")
            failures.append(failed)
        except Halted as halted:
            halts.append(halted)
        except Parked as waits:
            parked[work] = waits

    begin: Sequence[Work] = works
    async with Crew(run) as crew:
        while begin or crew.tasks:
            for work in begin:
                crew.begin(watched(work), name)
            await crew.change()
            begin = [work for work, waits in parked.items() if waits.wakes != run.wakes]
            for work in begin:
                del parked[work]
    for raised in (*failures, *halts):
        raise raised
    if parked:
        raise all_parked(parked.values())
