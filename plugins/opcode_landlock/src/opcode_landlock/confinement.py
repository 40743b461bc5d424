"""What the launcher calls, in the command's process, before it becomes the command."""

from __future__ import annotations

from opcode_landlock.calls import refuse
from opcode_landlock.landlock import restrict, version
from opcode_landlock.trees import allowed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def confine(setup: dict[str, Any]) -> None:
    """Put up both layers; there is no way back.

    Raises:
        OSError: one of them cannot be had.
    """
    restrict(version(), allowed(setup["files"]), network=setup["network"])
    refuse(network=setup["network"])
