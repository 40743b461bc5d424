"""Errors for the author of an expression: where it is, and what was probably meant."""

import re

from opcode_cel.faults import shortened
from opcode_core import ErrorCode, OpcodeError

RESERVED = frozenset(
    {
        *("as", "break", "const", "continue", "else", "for", "function", "if", "import", "in", "let"),
        *("loop", "package", "namespace", "return", "var", "void", "while"),
    }
)

_REMEDIES = {
    "=": "to compare, write '=='",
    "and": "write '&&'",
    "or": "write '||'",
    "not": "write '!'",
    "is": "write '=='",
    "&": "write '&&'",
    "|": "write '||'",
    "`": "a name with other characters goes in brackets: a['b-c']",
    "$": "leave out the ${{ }} around it",
    ";": "it must be one expression",
    "if": "write condition ? this : that",
}
# The character before the place, and what stands there.
_PAIRS = {
    "==": "'===' is '==' here",
    "<>": "write '!='",
    "**": "there is no power operator",
    "?.": "for what may be missing, write default(a.b, 'x')",
    ".?": "for what may be missing, write default(a.b, 'x')",
}
_NAMES = {"None": "null", "nil": "null", "undefined": "null", "True": "true", "False": "false"}
_LOOKALIKES = {
    **dict.fromkeys(("len", "length", "count"), "size"),
    **dict.fromkeys(("lower", "toLowerCase", "lowercase"), "lowerAscii"),
    **dict.fromkeys(("upper", "toUpperCase", "uppercase"), "upperAscii"),
    **dict.fromkeys(("match", "regex"), "matches"),
    "str": "string",
    "float": "double",
    "strip": "trim",
    "any": "exists",
    "coalesce": "default",
    "includes": "contains",
    **{name: f"math.{name}" for name in ("abs", "ceil", "floor", "round", "sign", "sqrt", "trunc")},
    "range": "lists.range",
    "greatest": "max",
    "least": "min",
    **dict.fromkeys(("unique", "uniq", "toSet"), "distinct"),
    **dict.fromkeys(("reversed", "toReversed"), "reverse"),
    **dict.fromkeys(("sorted", "toSorted"), "sort"),
    **dict.fromkeys(("sort_by", "orderBy"), "sortBy"),
    **dict.fromkeys(("flat", "flatMap"), "flatten"),
    **dict.fromkeys(("find", "index"), "indexOf"),
    **dict.fromkeys(("parseJson", "fromJson", "parse_json"), "json"),
    **dict.fromkeys(("stringify", "to_json"), "toJson"),
    "some": "exists",
    "every": "all",
    "head": "first",
    "quote": "strings.quote",
    "printf": "format",
}
_ABSENT = {
    **dict.fromkeys(
        ("now", "today", "time"),
        "it would give another value each time; workflow.started_at is when the run began",
    ),
    **dict.fromkeys(
        ("random", "rand", "uuid"),
        "it would give another value each time; let a step with crypto.uuid make one",
    ),
}

_WORD = re.compile(r"[A-Za-z_]\w*|\d[\w.]*|===?|<>|\*\*|\S")
_HYPHENED = re.compile(r"(?:[A-Za-z_]\w*\.)+(?P<name>[A-Za-z_]\w*(?:-\w+)+)")


def invalid(message: str, text: str, position: int) -> OpcodeError:
    """A VALIDATION_ERROR that shows the place."""
    position = min(position, len(text))
    line = text.count("\n", 0, position) + 1
    start = text.rfind("\n", 0, position) + 1
    column = position - start + 1
    place = f"column {column}" if "\n" not in text.strip() else f"line {line}, column {column}"
    # A window of the line, with a mark where it happened.
    end = text.find("\n", position)
    before = text[max(start, position - 40) : position]
    after = text[position : position + 30 if end < 0 else min(end, position + 30)]
    shown = f"at {place} ({before}»{after}): {message}" if text.strip() else message
    return OpcodeError(ErrorCode.VALIDATION_ERROR, shown, details={"line": line, "column": column})


def cut_short(text: str) -> OpcodeError:
    """The error for an expression that lacks its end."""
    # `a?.b` reads as a choice without its end.
    hint = f"; {_PAIRS['?.']}" if re.search(r"\w\?\.\w", text) else ""
    return invalid(f"the expression ends too early{hint}", text, len(text.rstrip()))


def misread(text: str, position: int) -> OpcodeError:
    """The error for what the parser did not expect at `position`."""
    word = _WORD.match(text, position)
    shown = word[0] if word else text[position : position + 1]
    return invalid(f"unexpected '{shown}'{_remedy(text, position, shown)}", text, position)


def _remedy(text: str, position: int, word: str) -> str:
    before = text[:position].rstrip()
    # Only around the place: the pattern is not meant for long texts.
    for match in _HYPHENED.finditer(text, max(0, position - 150), position + 50):
        if match.start() <= position <= match.end() + 2:
            return f"; {hyphen_hint(match)}"
    remedy = _PAIRS.get(before[-1:] + word) or _REMEDIES.get(word)
    if previous := re.search(r"(?<![\w.])(not|if)$", before):
        remedy = _REMEDIES[previous[1]]
    elif before.endswith(".") and word in {"true", "false"}:
        remedy = f"as a key it goes in brackets: ['{word}']"
    return f"; {remedy}" if remedy else ""


def hyphen_hint(match: re.Match[str]) -> str:
    """What to write for `steps.review-gate`."""
    path = match[0][: match.start("name") - match.start() - 1]
    return f"a name with '-' goes in brackets: {path}['{match['name']}']"


def hyphened(text: str, position: int) -> str | None:
    """The hint for a path with a '-' that begins at `position`, if one does."""
    match = _HYPHENED.match(text, position, position + 300)
    return hyphen_hint(match) if match else None


def name_trouble(name: str) -> str | None:
    """Why `name` cannot stand for a value, if that is known before anything runs."""
    if name == "loop":
        return "'loop' is reserved: use iter.item and iter.index"
    if name == "if":
        return f"'if' is reserved: {_REMEDIES['if']}"
    if name in RESERVED:
        return f"'{name}' is reserved and cannot be a name"
    if name in _NAMES:
        return f"'{name}' is written {_NAMES[name]} here"
    if name in {"and", "or", "not"}:
        return f"'{name}' is no operator: {_REMEDIES[name]}"
    return None


def function_trouble(name: str, known: list[str]) -> str:
    """What to say of a function that does not exist."""
    from difflib import get_close_matches

    if name in {"not", "and", "or", "if"}:
        return f"there is no function {name}(): {_REMEDIES[name]}"
    if name in _ABSENT:
        return f"there is no function {name}(): {_ABSENT[name]}"
    bare = name.rpartition(".")[2]
    close = _LOOKALIKES.get(bare) or next(iter(get_close_matches(name, known, n=1)), None)
    close = bare if bare in known else close
    meant = f"; did you mean {close}()?" if close else ""
    return f"there is no function {shortened(name, 60)}(){meant}"
