"""How operators bind: from a flat row of operators and operands to a tree."""

from lark import Token

from opcode_expr.nodes import Binary, Call, Chain, Node, Path, Unary

MAX_DEPTH = 64
"""How deep brackets, calls and operators may lie inside each other."""

_BINDING = {
    **dict.fromkeys(("or", "||"), 10),
    **dict.fromkeys(("and", "&&"), 15),
    **dict.fromkeys(("==", "!=", "<", ">", "<=", ">="), 20),
    **dict.fromkeys(("in", "matches", "contains", "startsWith", "endsWith"), 20),
    "..": 25,
    **dict.fromkeys(("+", "-"), 30),
    **dict.fromkeys(("*", "/", "%"), 60),
    **dict.fromkeys(("**", "^"), 100),
    "??": 500,
}
_UNARY = {"not": 50, "!": 50, "-": 90, "+": 90}
_RIGHT = frozenset({"**", "^"})
_ORDER = frozenset({"<", ">", "<=", ">="})
_SAME = {"||": "or", "&&": "and", "^": "**", "!": "not"}


class TooDeepError(Exception):
    """Operators lie too deep inside each other.

    Attributes:
        position: where, in the source.
    """

    def __init__(self, position: int) -> None:
        super().__init__()
        self.position = position


def bound(row: list[Node | Token]) -> Node:
    """The tree of a row such as `not a + b * c | f()`.

    Raises:
        TooDeepError: more than MAX_DEPTH unary or right-binding operators in a row.
    """
    return _Row(row).operation(0, 0)


class _Row:
    """Reads a row from left to right; operators climb by how tightly they bind."""

    def __init__(self, row: list[Node | Token]) -> None:
        self.row = row
        self.at = 0

    def operation(self, least: int, depth: int) -> Node:
        """An operand and the operators after it that bind at least as tightly as `least`."""
        if depth > MAX_DEPTH:
            part = self.row[self.at]
            raise TooDeepError(part.start_pos or 0 if isinstance(part, Token) else part.start)
        left = self.operand(depth)
        while self.at < len(self.row):
            operator, negated = self.operator()
            if operator == "|":
                if least > 0:
                    return left
                left = self.piped(left)
                continue
            binding = _BINDING[operator]
            if binding < least:
                return left
            self.at += 1 + negated
            if operator in _ORDER:
                left = self.compared(left, operator, depth)
                continue
            right = self.operation(binding + (operator not in _RIGHT), depth + 1)
            left = Binary(left.start, right.end, _SAME.get(operator, operator), left, right, negated)
        return left

    def operand(self, depth: int) -> Node:
        part = self.row[self.at]
        self.at += 1
        if not isinstance(part, Token):
            return part
        operand = self.operation(_UNARY[part], depth + 1)
        return Unary(part.start_pos or 0, operand.end, _SAME.get(part, str(part)), operand)

    def operator(self) -> tuple[str, bool]:
        """The operator that stands here, and whether a `not` stands before it."""
        operator = str(self.row[self.at])
        return (str(self.row[self.at + 1]), True) if operator == "not" else (operator, False)

    def compared(self, left: Node, operator: str, depth: int) -> Node:
        rest = [(operator, self.operation(_BINDING[operator] + 1, depth + 1))]
        while self.at < len(self.row) and str(self.row[self.at]) in _ORDER:
            operator = str(self.row[self.at])
            self.at += 1
            rest.append((operator, self.operation(_BINDING[operator] + 1, depth + 1)))
        right = rest[-1][1]
        if len(rest) == 1:
            return Binary(left.start, right.end, operator, left, right)
        return Chain(left.start, right.end, left, tuple(rest))

    def piped(self, left: Node) -> Node:
        """`left | f(a).b`: the first argument of the call is what stands left of it."""
        target = self.row[self.at + 1]
        self.at += 2
        assert isinstance(target, Path)
        call = target.base
        assert isinstance(call, Call)
        full = Call(left.start, call.end, call.name, (left, *call.arguments))
        return Path(left.start, target.end, full, target.selections) if target.selections else full
