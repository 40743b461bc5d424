"""Box-drawing characters as arms, so that lines which meet become one character."""

from enum import IntEnum

Arms = tuple[int, int, int, int]  # the weights of up, down, left, right


class Weight(IntEnum):
    """How a line looks; where two meet in one direction the greater wins."""

    NONE = 0
    DASHED = 1
    LIGHT = 2
    DOUBLE = 3


_GLYPHS: dict[str, str] = {
    "│": "ll..", "─": "..ll", "┌": ".l.l", "┐": ".ll.", "└": "l..l", "┘": "l.l.",
    "├": "ll.l", "┤": "lll.", "┬": ".lll", "┴": "l.ll", "┼": "llll",
    "╎": "ss..", "╌": "..ss",
    "║": "dd..", "═": "..dd", "╔": ".d.d", "╗": ".dd.", "╚": "d..d", "╝": "d.d.",
    "╟": "dd.l", "╢": "ddl.", "╤": ".ldd", "╧": "l.dd", "╪": "lldd",
    "╥": ".dll", "╨": "d.ll", "╫": "ddll",
}  # fmt: skip
_WEIGHTS = {".": Weight.NONE, "s": Weight.DASHED, "l": Weight.LIGHT, "d": Weight.DOUBLE}


def _arms(code: str) -> Arms:
    up, down, left, right = (_WEIGHTS[letter] for letter in code)
    return up, down, left, right


_BY_ARMS = {_arms(code): glyph for glyph, code in _GLYPHS.items()}
_UPRIGHT = {Weight.DASHED: "╎", Weight.LIGHT: "│", Weight.DOUBLE: "║"}
_LEVEL = {Weight.DASHED: "╌", Weight.LIGHT: "─", Weight.DOUBLE: "═"}


def joined(one: Arms, other: Arms) -> Arms:
    """The arms of two lines that meet."""
    up, down, left, right = (max(pair) for pair in zip(one, other, strict=True))
    return up, down, left, right


def glyph(arms: Arms) -> str:
    """The character that has these arms."""
    return _BY_ARMS.get(arms) or _nearest(arms)


def _nearest(arms: Arms) -> str:
    """A line that ends here is drawn through, and corners have no dashed form."""
    up, down, left, right = (Weight.LIGHT if arm == Weight.DASHED else arm for arm in arms)
    if not (left or right):
        return _UPRIGHT[Weight(max(arms))]
    if not (up or down):
        return _LEVEL[Weight(max(arms))]
    return _BY_ARMS.get((up, down, left, right), "┼")
