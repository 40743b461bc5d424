"""Which steps of a run a person wants to see when there are very many."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

MANY = 40
MOST = 200
_ITERATION = re.compile(r"(?<=\.)iter_(\d+)(?=\.)")


def without_old_iterations(steps: Mapping[str, Mapping[str, Any]]) -> tuple[Sequence[str], int]:
    """The ids to show, and how many are left out.

    Few steps are all shown. Of many, those in any but a loop's latest iteration are left out
    unless they failed, and in the end whatever is beyond `MOST`.
    """
    if len(steps) <= MANY:
        return list(steps), 0
    latest: dict[str, int] = {}
    for step_id in steps:
        for loop, index in iterations_in(step_id):
            latest[loop] = max(latest.get(loop, 0), index)
    kept = [
        step_id
        for step_id, step in steps.items()
        if step["status"] == "failed" or all(index == latest[loop] for loop, index in iterations_in(step_id))
    ][:MOST]
    return kept, len(steps) - len(kept)


def iterations_in(step_id: str) -> Sequence[tuple[str, int]]:
    """The loops that a step is in, each with the number of the iteration."""
    return [(step_id[: found.start()], int(found.group(1))) for found in _ITERATION.finditer(step_id)]
