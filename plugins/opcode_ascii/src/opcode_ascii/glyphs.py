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


ARMS: dict[str, Arms] = {glyph: _arms(code) for glyph, code in _GLYPHS.items()}
_BY_ARMS = {arms: glyph for glyph, arms in ARMS.items()}
_HALVES = {
    (True, False): {Weight.DASHED: "╎", Weight.LIGHT: "│", Weight.DOUBLE: "║"},
    (False, True): {Weight.DASHED: "╌", Weight.LIGHT: "─", Weight.DOUBLE: "═"},
}


def merged(glyph: str, arms: Arms) -> str:
    """The character for the line `glyph` (or a space) with `arms` added; other text stays as it is."""
    there = ARMS.get(glyph)
    if there is None and glyph != " ":
        return glyph
    if there is not None:
        arms = _stronger(there, arms)
    return _BY_ARMS.get(arms) or _nearest(arms)


def _stronger(one: Arms, other: Arms) -> Arms:
    up, down, left, right = (max(pair) for pair in zip(one, other, strict=True))
    return up, down, left, right


def _nearest(arms: Arms) -> str:
    """Corners have no dashed form, and a line that only ends here is drawn through."""
    solid = tuple(Weight.LIGHT if arm == Weight.DASHED else arm for arm in arms)
    up, down, left, right = solid
    half = _HALVES.get((bool(up or down), bool(left or right)))
    if half is not None:
        return half[Weight(max(arms))]
    return _BY_ARMS.get((up, down, left, right), "┼")
