"""What this package adds to OPCODE."""

from opcode_core import Isolator, hookimpl


@hookimpl
def opcode_isolators() -> list[Isolator]:
    """`landlock`, on Linux."""
    import sys

    if sys.platform != "linux":
        return []
    from opcode_landlock.isolator import LandlockIsolator

    return [LandlockIsolator()]
