"""What this package adds to OPCODE."""

from opcode_core import Isolator, hookimpl


@hookimpl
def opcode_isolators() -> list[Isolator]:
    """`cgroups`, on Linux."""
    import sys

    if sys.platform != "linux":
        return []
    from opcode_cgroups.isolator import CgroupIsolator

    return [CgroupIsolator()]
