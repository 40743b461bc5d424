"""All attacks on one isolator, and how each ended."""

import asyncio
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from opcode_core import Isolator, OpcodeError
from opcode_testkit.isolation.arena import Arena, Attack, Escaped
from opcode_testkit.isolation.attacks import ATTACKS

LAYERS = tuple(dict.fromkeys(attack.layer for attack in ATTACKS))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attack ended.

    Attributes:
        state: `held`; `escaped`; `refused`, for the isolator says that it does not keep the limit, and runs
            nothing; `not promised`, so it was not tried.
    """

    attack: str
    layer: str
    state: Literal["held", "escaped", "refused", "not promised"]
    why: str = ""

    def __str__(self) -> str:
        return f"{self.state:<12}  {self.layer:<8}  {self.attack}{': ' + self.why if self.why else ''}"


async def isolator_suite(
    isolator: Isolator, folder: Path | None = None, *, promised: Collection[str] = LAYERS
) -> list[Outcome]:
    """Make every attack on a layer that is promised, each in an arena of its own below `folder`."""
    with tempfile.TemporaryDirectory(dir=folder) as arenas:
        return [
            await outcome_of(attack, isolator, Path(arenas) / str(number), promised)
            for number, attack in enumerate(ATTACKS)
        ]


async def outcome_of(
    attack: Attack, isolator: Isolator, folder: Path, promised: Collection[str] = LAYERS
) -> Outcome:
    """Make one attack, unless its layer is not promised; nothing of it is left afterwards."""
    if attack.layer not in promised:
        return Outcome(attack.name, attack.layer, "not promised")
    folder.mkdir(mode=0o755)  # noqa: ASYNC240
    arena = Arena(isolator, folder)
    try:
        try:
            async with asyncio.timeout(100):
                await attack.go(arena)
        finally:
            arena.leave_nothing()
    except Escaped as escaped:
        return Outcome(attack.name, attack.layer, "escaped", str(escaped))
    except OpcodeError as error:
        if "limits" not in error.details:
            raise
        return Outcome(attack.name, attack.layer, "refused", ", ".join(error.details["limits"]))
    return Outcome(attack.name, attack.layer, "held")
