"""Which parts of its input a program can touch, as far as its text tells."""

import re

Path = tuple[str, ...]
Paths = frozenset[Path]
"""Each leads to a part that may be read with all that it holds."""

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_TEXT = r'"(?:[^"\\]|\\.)*"'
_TOKEN = re.compile(
    rf"""\s*(?:
        (?P<field>\.\s*(?:{_NAME}|{_TEXT}))
      | (?P<word>{_NAME}(?:::{_NAME})*)
      | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<text>{_TEXT})
      | (?P<sign>\.\.|\?//=?|//=?|\|=|[=!<>+*/%-]=|[][(){{}}.,:;|?$@=<>+*/%-])
    )""",
    re.VERBOSE,
)
_END = re.compile(r"\s*\Z")
_OPENING = {"[": "]", "(": ")", "{": "}"}
_BETWEEN = frozenset({"|", ",", ":", "?", "+", "-", "*", "/", "%", "//", "and", "or"}) | frozenset(
    {"==", "!=", "<", ">", "<=", ">="}
)
_VALUES = frozenset({"null", "true", "false", "empty"})


def reach(source: str) -> Paths | None:
    """The paths that `source` reads, or None when it may read anything.

    In jq everything behind a `|` sees only what stands before it. So it is enough to read what
    stands before the first `|`, in every pair of brackets anew: there, only paths that begin with
    a name, literals and operators are followed. Whatever else is found there gives None.
    """
    tokens = _tokens(source)
    return None if tokens is None else _Reader(tokens).read()


def _tokens(source: str) -> list[tuple[str, str]] | None:
    tokens: list[tuple[str, str]] = []
    position = 0
    while not _END.match(source, position):
        match = _TOKEN.match(source, position)
        # A text may hold programs, and a comment may go on where it does not seem to.
        if match is None or (match.lastgroup in {"text", "field"} and "\\" in match[0]):
            return None
        tokens.append((match.lastgroup or "", match[match.lastgroup or 0]))
        position = match.end()
    return tokens


class _Reader:
    """Goes through the tokens once.

    Attributes:
        frames: the brackets that are open: what closes each, whether the input was seen where it
            was opened, and whether it is seen at this point.
        after_term: what comes next is selected from a value, or joins it to another.
    """

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = [*tokens, ("end", "")]
        self.position = 0
        self.paths: set[Path] = set()
        self.frames: list[tuple[str, bool, bool]] = [("", True, True)]
        self.after_term = False

    def read(self) -> Paths | None:
        while self.position < len(self.tokens) - 1:
            kind, text = self.tokens[self.position]
            self.position += 1
            sees_input = self.frames[-1][2]
            if self._bracket(text) or not sees_input:
                continue
            understood = self._key(kind) if self._wants_key() else self._seen(kind, text)
            if not understood:
                return None
        return frozenset(self.paths) if len(self.frames) == 1 else None

    def _bracket(self, text: str) -> bool:
        """Whether this was a bracket, or what separates the members of an object."""
        closing, opened, sees = self.frames[-1]
        if text in _OPENING:
            self.frames.append((_OPENING[text], sees, sees))
            self.after_term = False
        elif text and text == closing:
            self.frames.pop()
            self.after_term = True
        elif text == "," and closing == "}":
            self.frames[-1] = (closing, opened, opened)
            self.after_term = False
        else:
            return False
        return True

    def _wants_key(self) -> bool:
        return self.frames[-1][0] == "}" and self.tokens[self.position - 2][1] in {"{", ","}

    def _key(self, kind: str) -> bool:
        """Take a key and its colon; a key alone would read the input."""
        if kind not in {"word", "text"} or self.tokens[self.position][1] != ":":
            return False
        self.position += 1
        return True

    def _seen(self, kind: str, text: str) -> bool:
        """Take a token from where the input is seen; whether that could be done."""
        after_term, self.after_term = self.after_term, True
        if kind == "field":
            return after_term or self._path(_segment(text))
        if text == ".":
            name = self._constant()
            return after_term or (name is not None and self._path(name))
        if kind in {"number", "text"} or text in _VALUES:
            return True
        self.after_term = text == "?"
        if text == "|":
            closing, opened, _ = self.frames[-1]
            self.frames[-1] = (closing, opened, False)
        return text in _BETWEEN

    def _path(self, first: str) -> bool:
        path = [first]
        while True:
            kind, text = self.tokens[self.position]
            if kind == "field":
                path.append(_segment(text))
                self.position += 1
            elif (name := self._constant()) is not None:
                path.append(name)
            else:
                self.paths.add(tuple(path))
                return True

    def _constant(self) -> str | None:
        """Take `["name"]`, if that comes next."""
        ahead = self.tokens[self.position : self.position + 3]
        if [text for _, text in ahead[::2]] != ["[", "]"] or ahead[1][0] != "text":
            return None
        self.position += 3
        return ahead[1][1][1:-1]


def _segment(text: str) -> str:
    name = text[1:].lstrip()
    return name[1:-1] if name.startswith('"') else name
