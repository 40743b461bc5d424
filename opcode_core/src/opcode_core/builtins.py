"""The few things that the core brings itself, so that it runs with no plugin at all."""

from opcode_core.plugins.registry import Registry


def add_to(registry: Registry) -> None:
    """Add the in-memory storage, the simple isolator and the runner in this process."""
    from opcode_core.engine.runner import InProcessRunner
    from opcode_core.memory import MemoryStorage
    from opcode_core.process_isolator import ProcessIsolator

    registry.add_storages({"memory": lambda _: MemoryStorage()}, "opcode_core")
    registry.add_isolators([ProcessIsolator()], "opcode_core")
    registry.add_runners([InProcessRunner()], "opcode_core")
