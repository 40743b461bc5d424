"""OPCODE's expression engine jq, in a guarded process."""

# The guarded process imports this package too: nothing of the core may come with it.

TYPE_CHECKING = False
if TYPE_CHECKING:
    from opcode_jq.engine import JqEngine as JqEngine

__all__ = ["JqEngine"]  # noqa: F822, RUF100


def __getattr__(name: str) -> object:
    if name != "JqEngine":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from opcode_jq.engine import JqEngine

    return JqEngine
