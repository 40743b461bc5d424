"""celpy's grammar, made into a parser of our own.

celpy's own parser object forgets where `true` and `false` stand, and its errors forget what they
expected; the grammar and the options are the same.
"""

import re
from functools import cache
from importlib.resources import files

from lark import Lark, Token, Tree


@cache
def parser() -> Lark:
    """The one parser of this process; safe to use from several threads."""
    return Lark(
        (files("celpy") / "cel.lark").read_text(encoding="utf-8"),
        parser="lalr",
        start="expr",
        g_regex_flags=re.MULTILINE,
        lexer_callbacks={"IDENT": _boolean},
        propagate_positions=True,
        maybe_placeholders=False,
        priority="invert",
        tree_class=Tree,
    )


def _boolean(token: Token) -> Token:
    """The grammar cannot tell a name from `true` and `false`."""
    return Token.new_borrow_pos("BOOL_LIT", token, token) if token in {"true", "false"} else token
