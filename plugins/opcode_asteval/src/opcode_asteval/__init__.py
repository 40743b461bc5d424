"""OPCODE's expression engine python: expressions only, in a guarded process."""

# The guarded process imports this package too: nothing of the core may come with it.

TYPE_CHECKING = False
if TYPE_CHECKING:
    from opcode_asteval.engine import PythonEngine as PythonEngine

__all__ = ["PythonEngine"]  # noqa: F822, RUF100


def __getattr__(name: str) -> object:
    if name != "PythonEngine":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from opcode_asteval.engine import PythonEngine

    return PythonEngine
