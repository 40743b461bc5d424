"""CEL for OPCODE."""

# What only lists the plugins does not pay for what evaluates.

TYPE_CHECKING = False
if TYPE_CHECKING:
    from opcode_cel.engine import CelEngine as CelEngine

__all__ = ["CelEngine"]  # noqa: F822, RUF100


def __getattr__(name: str) -> object:
    if name != "CelEngine":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from opcode_cel.engine import CelEngine

    return CelEngine
