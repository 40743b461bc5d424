"""From source text to parts, and what to say when it cannot be read."""

import re
from dataclasses import dataclass
from typing import Any

from lark.exceptions import UnexpectedCharacters, UnexpectedToken, VisitError

from opcode_core import ErrorCode, OpcodeError
from opcode_expr.binding import MAX_DEPTH, TooDeepError
from opcode_expr.grammar import RefusedError, parser
from opcode_expr.nodes import Node

MAX_TOKENS = 10_000
"""Names, literals, operators and brackets of one expression."""

MOST_SHOWN = 401
"""Characters of a part that are kept for messages."""

# What a source is made of as far as quotes, comments and brackets go; each is linear.
_PIECE = re.compile(
    r""""(?:[^"\\\n\r]|\\[^\n\r])*"|'(?:[^'\\\n\r]|\\[^\n\r])*'|`(?:[^`]|``)*`"""
    r"""|//[^\n]*|/\*[\s\S]*?\*/|(?P<open>[(\[{])|(?P<close>[)\]}])|\w+|\s+|(?!/\*)[^'"`\s]"""
)
_OPEN = {'"': "the string", "'": "the string", "`": "the raw string", "/": "the comment"}

_SHOWN = {
    "NAME": "a name",
    "COMMA": "','",
    "COLON": "':'",
    "SEMICOLON": "';'",
    "ASSIGN": "'='",
    "RPAR": "')'",
    "RBRACKET": "']'",
    "RBRACE": "'}'",
    "LPAR": "'('",
    "LBRACE": "'{'",
    "ELSE": "'else'",
}
_REMEDIES = {
    "=": "to compare, write '=='; to name a value, let x = …; …",
    "&": "write '&&' or 'and'",
    "$": "leave out the ${{ }} around it",
    "~": "to look for a pattern, write a matches b",
    "is": "write '=='",
    "for": "write map(array, …) or filter(array, …)",
    "lambda": "write the predicate itself: filter(items, .price > 5)",
    "...": "a range is written 1..5",
    "->": "write the predicate itself: filter(items, .price > 5)",
    "=>": "write the predicate itself: filter(items, .price > 5)",
}
_WORD = re.compile(r"[^\W\d]\w*|\d[\w.]*|\.\.\.|[-=]>|===?|\S")
_CALLED = re.compile(r"(contains|matches|startsWith|endsWith|in)\s*\(")
_HYPHENED = re.compile(r"(?:[A-Za-z_]\w*\.)+(?P<name>[A-Za-z_]\w*(?:-\w+)+)")


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed expression.

    Attributes:
        text: as its author wrote it.
        root: its parts.
    """

    text: str
    root: Node

    def of(self, node: Node) -> str:
        """The piece of the text that `node` was made from, or its beginning: it is for messages."""
        return self.text[node.start : min(node.end, node.start + MOST_SHOWN)]


def invalid(message: str, text: str, position: int) -> OpcodeError:
    """A VALIDATION_ERROR that shows the place."""
    position = max(0, min(position, len(text)))
    line = text.count("\n", 0, position) + 1
    start = text.rfind("\n", 0, position) + 1
    column = position - start + 1
    place = f"column {column}" if "\n" not in text.strip() else f"line {line}, column {column}"
    end = text.find("\n", position)
    before = text[max(start, position - 40) : position]
    after = text[position : position + 30 if end < 0 else min(end, position + 30)]
    shown = f"at {place} ({before}»{after}): {message}" if text.strip() else message
    return OpcodeError(ErrorCode.VALIDATION_ERROR, shown, details={"line": line, "column": column})


def parse(text: str) -> Source:
    """Parse.

    Raises:
        OpcodeError: VALIDATION_ERROR that names the place and what was expected.
    """
    if not text.strip():
        raise invalid("the expression is empty", text, 0)
    _check_pieces(text)
    try:
        root: Any = parser().parse(text)
    except UnexpectedToken as error:
        raise _unexpected(error, text) from None
    except UnexpectedCharacters as error:
        position: Any = error.pos_in_stream
        raise invalid(
            f"unexpected '{_word(text, position)}'{_remedy(text, position)}", text, position
        ) from None
    except (RefusedError, TooDeepError) as error:
        raise _refused(error, text) from None
    except VisitError as error:
        raise _refused(error.orig_exc, text) from None
    return Source(text, root)


def _refused(error: Exception, text: str) -> OpcodeError:
    if isinstance(error, TooDeepError):
        return too_deep(text, error.position)
    if isinstance(error, RefusedError):
        return invalid(error.message, text, error.position)
    raise error


def too_deep(text: str, position: int) -> OpcodeError:
    """The error for an expression whose parts lie too deep inside each other."""
    return invalid(f"the expression is nested too deeply: at most {MAX_DEPTH} levels", text, position)


def _check_pieces(text: str) -> None:
    """Find what would cost the parser too much: deep brackets, strings that are not closed, too many parts."""
    position = depth = count = 0
    while position < len(text):
        match = _PIECE.match(text, position)
        if match is None:
            raise invalid(f"{_OPEN[text[position]]} is not closed", text, position)
        depth += 1 if match["open"] else -1 if match["close"] else 0
        if depth > MAX_DEPTH:
            raise too_deep(text, position)
        count += not match[0].isspace()
        if count > MAX_TOKENS:
            raise invalid(f"the expression has more than {MAX_TOKENS:,} parts", text, position)
        position = match.end()


def _unexpected(error: UnexpectedToken, text: str) -> OpcodeError:
    wanted = _expected(error.accepts or error.expected)
    if error.token.type == "$END":
        return invalid(f"the expression ends too early; expected {wanted}", text, len(text.rstrip()))
    position = error.token.start_pos or 0
    remedy = (
        f"; expected {wanted}" if wanted == "a name" else _remedy(text, position) or f"; expected {wanted}"
    )
    return invalid(f"unexpected '{_word(text, position)}'{remedy}", text, position)


def _expected(terminals: Any) -> str:
    """What could have stood there, in words."""
    words = []
    hidden = set()
    if "NAME" in terminals:
        hidden = {"ELSE"}
    if "NUMBER" in terminals:
        words.append("a value")
        hidden |= {"NAME", "LPAR", "LBRACE"}
    if "OPERATOR" in terminals:
        words.append("an operator")
        hidden |= {"LPAR"}
    words += sorted(_SHOWN[name] for name in terminals if name in _SHOWN and name not in hidden)
    if "$END" in terminals:
        words.append("the end")
    *others, last = words or ["something else"]
    return f"{', '.join(others)} or {last}" if others else last


def _word(text: str, position: int) -> str:
    match = _WORD.match(text, position)
    return match[0][:60] if match else text[position : position + 1]


def _remedy(text: str, position: int) -> str:
    # Only around the place: the pattern is not meant for long texts.
    for match in _HYPHENED.finditer(text, max(0, position - 150), position + 50):
        if match.start() <= position <= match.end() + 2:
            path = match[0][: match.start("name") - match.start() - 1]
            return f"; a name with '-' goes in brackets: {path}['{match['name']}']"
    remedy = _REMEDIES.get(_word(text, position))
    if text[max(0, position - 2) : position + 1] == "===":
        remedy = "'===' is '==' here"
    elif text[max(0, position - 1) : position + 1] == "${":
        remedy = _REMEDIES["$"]
    elif called := _CALLED.match(text, position):
        remedy = f"write a {called[1]} b"
    return f"; {remedy}" if remedy else ""
