"""No `except` in the engine or a storage swallows an error: each raises, logs, hands on or answers."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    [
        *(ROOT / "opcode_core/src/opcode_core/engine").rglob("*.py"),
        *(ROOT / "opcode_core/src/opcode_core").glob("memory.py"),
        *(ROOT / "plugins/opcode_sql/src").rglob("*.py"),
    ]
)
NARROW = {"TimeoutError", "StepFailed", "Halted", "_Won", "LogFailed", "ValueError"}
"""What may be passed over by `suppress`, because its meaning is known where that is done."""


def silent(handler: ast.ExceptHandler) -> bool:
    """Whether nothing in the handler does anything."""
    return all(
        isinstance(statement, ast.Pass | ast.Continue)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in handler.body
    )


def names(node: ast.expr | None) -> set[str]:
    if node is None:
        return {"everything"}
    if isinstance(node, ast.Tuple):
        return set().union(*(names(part) for part in node.elts))
    return {ast.unparse(node).rpartition(".")[2]}


def uses_the_error(handler: ast.ExceptHandler) -> bool:
    """Whether a broad handler raises, or does something with what it caught or with its log."""
    text = ast.unparse(ast.Module(handler.body, []))
    caught = handler.name is not None and any(
        isinstance(node, ast.Name) and node.id == handler.name
        for statement in handler.body
        for node in ast.walk(statement)
    )
    return "raise" in text or "_log." in text or caught


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_error_is_swallowed(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.ExceptHandler):
            caught = names(node.type)
            assert not silent(node) or caught <= NARROW, f"{where}: an except that does nothing"
            broad = caught & {"everything", "Exception", "BaseException", "OpcodeError"}
            assert not broad or uses_the_error(node), f"{where}: {broad} is caught and forgotten"
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "suppress":
            passed = set().union(*(names(argument) for argument in node.args))
            assert passed <= NARROW, f"{where}: suppress({', '.join(passed)})"


def test_it_would_be_seen():
    tree = ast.parse("try:\n    x()\nexcept Exception:\n    y = 1\n")
    (handler,) = [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
    assert not uses_the_error(handler)
    assert silent(ast.parse("try:\n    x()\nexcept OSError:\n    pass\n").body[0].handlers[0])
