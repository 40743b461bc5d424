"""What may stand in an expression: a list of what is allowed, all else is refused."""

from __future__ import annotations

import ast

from opcode_asteval.functions import FUNCTIONS
from opcode_asteval.methods import ALL_METHODS, INSTEAD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

MAX_DEPTH = 80
MAX_NODES = 4000

ROOTS = frozenset({"steps", "inputs", "context", "workflow", "data", "iter", "loop"})

_ALLOWED = (
    *(ast.Expression, ast.Constant, ast.Name, ast.Load, ast.Store, ast.Attribute, ast.Subscript, ast.Slice),
    *(ast.List, ast.Tuple, ast.Set, ast.Dict, ast.JoinedStr, ast.FormattedValue),
    *(ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.keyword, ast.Starred),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.comprehension),
    *(ast.unaryop, ast.operator, ast.boolop, ast.cmpop),
)
_REMEDIES = {
    ast.Lambda: "there is no lambda; sorted, min and max take the name of a member: key='price'",
    ast.NamedExpr: "nothing can be assigned in an expression",
    ast.Await: "there is nothing to await",
    ast.Yield: "there is nothing to yield to",
    ast.YieldFrom: "there is nothing to yield to",
    ast.MatMult: "there is no operator @",
}
_HINT = "write one expression: import, def, for, = and other statements are not available"


class Checked:
    """An expression that may be evaluated.

    Attributes:
        tree: as Python parses it.
        names: the names of the scope that it uses.
        steps: the ids of the steps that it names, None when it may use any.
    """

    __slots__ = ("names", "steps", "tree")

    def __init__(self, tree: ast.Expression, names: list[str], steps: list[str] | None) -> None:
        self.tree = tree
        self.names = names
        self.steps = steps


def check(source: str) -> Checked:
    """Parse `source` and look at every part of it.

    Raises:
        SyntaxError: what is wrong, and where.
    """
    tree = _parsed(source.strip())
    nodes = _nodes(tree)
    variables = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    called = _functions_in_place(nodes)
    for node in nodes:
        if not isinstance(node, _ALLOWED) or isinstance(node, ast.MatMult):
            _refuse(node, _REMEDIES.get(type(node), f"{type(node).__name__} is not available; {_HINT}"))
        _check(node, variables)
        if isinstance(node, ast.Name) and node.id in FUNCTIONS and node not in called:
            _refuse(node, f"'{node.id}' is a function; call it: {node.id}(…)")
    names = sorted({node.id for node in nodes if isinstance(node, ast.Name)} & ROOTS)
    return Checked(tree, names, _steps(nodes))


def _parsed(source: str) -> ast.Expression:
    if not source:
        raise SyntaxError("the expression is empty")
    try:
        return ast.parse(source, mode="eval")
    except SyntaxError as error:
        at = _at(error.lineno, error.offset) if error.offset else "at the end"
        hint = f"; {_HINT}" if error.msg == "invalid syntax" else ""
        raise SyntaxError(f"{at}: {error.msg}{hint}") from None
    except (MemoryError, RecursionError):
        raise SyntaxError("the expression is nested too deeply") from None
    except ValueError as error:
        raise SyntaxError(str(error)) from None


def _nodes(tree: ast.AST) -> list[ast.AST]:
    """All nodes, the outer ones first."""
    nodes: list[ast.AST] = []
    level = [tree]
    depth = 0
    while level:
        depth += 1
        nodes += level
        if depth > MAX_DEPTH or len(nodes) > MAX_NODES:
            raise SyntaxError(
                f"the expression is too large: at most {MAX_DEPTH} levels and {MAX_NODES} parts"
            )
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return nodes


def _functions_in_place(nodes: list[ast.AST]) -> set[ast.AST]:
    """Where the name of a function may stand: it is called, or it is a key to sort by."""
    places: set[ast.AST] = {node.func for node in nodes if isinstance(node, ast.Call)}
    return places | {node.value for node in nodes if isinstance(node, ast.keyword) and node.arg == "key"}


def _check(node: ast.AST, variables: set[str]) -> None:
    match node:
        case ast.Name():
            _check_name(node, variables)
        case ast.Call():
            _check_call(node)
        case ast.comprehension():
            _check_target(node.target, is_async=bool(node.is_async))
        case ast.Constant() if node.value is not None and type(node.value) not in {bool, int, float, str}:
            _refuse(node, f"{type(node.value).__name__} is no type of JSON")
        case ast.List() | ast.Tuple() | ast.Set() if any(isinstance(item, ast.Starred) for item in node.elts):
            _refuse(node, "'*' is only for calls; join lists with +")
        case ast.Dict() if None in node.keys:
            _refuse(node, "'**' is not available; join objects with |")
        case ast.Subscript(slice=ast.Tuple()):
            _refuse(node, "one index at a time")


def _check_name(node: ast.Name, variables: set[str]) -> None:
    if isinstance(node.ctx, ast.Store):
        if node.id in ROOTS or node.id in FUNCTIONS:
            _refuse(node, f"choose another name than '{node.id}', which has a meaning here")
        if node.id.startswith("__"):
            _refuse(node, "a name may not begin with __")
    elif node.id not in ROOTS and node.id not in FUNCTIONS and node.id not in variables:
        remedy = {"true": "write True", "false": "write False", "null": "write None"}.get(node.id)
        listed = f"there are {', '.join(sorted(ROOTS))} and functions such as len"
        _refuse(node, f"there is no name '{node.id}'; {remedy or listed}")


def _check_call(node: ast.Call) -> None:
    function = node.func
    if any(keyword.arg is None for keyword in node.keywords):
        _refuse(node, "'**' is not available")
    if isinstance(function, ast.Name):
        if function.id not in FUNCTIONS:
            _refuse(function, f"'{function.id}' is not a function; there are {', '.join(sorted(FUNCTIONS))}")
    elif not isinstance(function, ast.Attribute):
        _refuse(node, "only functions and methods can be called")
    elif function.attr not in ALL_METHODS:
        instead = INSTEAD.get(function.attr)
        _refuse(function, f"there is no method '{function.attr}'" + (f"; {instead}" if instead else ""))


def _check_target(target: ast.expr, *, is_async: bool = False) -> None:
    if is_async:
        _refuse(target, "there is nothing to await")
    if isinstance(target, ast.Tuple):
        for item in target.elts:
            _check_target(item)
    elif not isinstance(target, ast.Name):
        _refuse(target, "write 'for x in …' or 'for a, b in …'")


def _steps(nodes: list[ast.AST]) -> list[str] | None:
    named: set[str] = set()
    count = 0
    for node in nodes:
        if isinstance(node, ast.Name) and node.id == "steps":
            count += 1
        elif isinstance(node, ast.Attribute) and _is_steps(node.value):
            named.add(node.attr)
            count -= 1
        elif isinstance(node, ast.Subscript) and _is_steps(node.value):
            key = node.slice
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                named.add(key.value)
                count -= 1
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_steps(node.func.value):
            return None  # steps.values()
    return sorted(named) if count == 0 else None


def _is_steps(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "steps"


def _refuse(node: ast.AST, message: str) -> NoReturn:
    line = getattr(node, "lineno", None)
    raise SyntaxError(
        message if line is None else f"{_at(line, getattr(node, 'col_offset', 0) + 1)}: {message}"
    )


def _at(line: int | None, column: int) -> str:
    return f"at column {column}" if line == 1 else f"at line {line}, column {column}"
