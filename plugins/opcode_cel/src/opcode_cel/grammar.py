"""The parser: CEL's grammar with the names that celpy's evaluator knows.

celpy's own parser object forgets where `true` and `false` stand, its errors forget what they expected,
and its patterns for strings are neither exact nor linear.
"""

from functools import cache
from importlib.resources import files

from lark import Lark, Token, Tree


@cache
def parser() -> Lark:
    """The one parser of this process; safe to use from several threads."""
    return Lark(
        (files("opcode_cel") / "cel.lark").read_text(encoding="utf-8"),
        parser="lalr",
        start="expr",
        lexer_callbacks={"IDENT": _boolean},
        propagate_positions=True,
        maybe_placeholders=False,
        tree_class=Tree,
    )


def _boolean(token: Token) -> Token:
    """The grammar cannot tell a name from `true` and `false`."""
    return Token.new_borrow_pos("BOOL_LIT", token, token) if token in {"true", "false"} else token
