"""Keeping secrets out of everything that is remembered or shown.

A text is searched as it is, with its escapes undone (JSON, Python, URL, HTML, shell, broken lines; in layers), and
inside whatever looks like base64 or hex, also one in another, also where the secret is only a part of what was encoded.
Of a secret that was cut, what is left is found too. docs/secrets.md says what is not.
"""

import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

from opcode_core.encodings import APART, Encoded, Span, Unescaped, unescaped

MASK = "***"
SHORTEST = 4
"""Characters; what is shorter is only looked for as itself."""
LAYERS = 4
"""Escapes around escapes that are undone."""
NESTED = 3
"""Encodings around encodings that are decoded."""
PIECE = 16
"""Characters of a long secret that are masked also without the rest."""
SEED = 8
"""Characters by which a piece is found: any PIECE holds a seed, for seeds stand SEED apart."""
MOST_SEEDS = 128
PART = 8
"""Characters of a line of a secret, or of a text in one that is JSON, from which on it counts as a secret itself."""
_A_STEP, _A_SEARCH = 64, 200
"""What looking up eight characters, and searching a text, cost beside searching through one character."""
_ELLIPSIS = re.compile(r"…|\.{3,}")
_BEFORE_IT = re.compile(r"""(?:\\u?[0-9a-f]{0,3}|%[0-9A-F]?)?['"]?\Z""")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/@?#]*(?=[/?#])")
_BLANK = re.compile(r"\s")
_NUMBER = re.compile(r"-?[0-9][0-9.eE+-]{3,}")


def redact(value: Any, secrets: Iterable[str]) -> Any:
    """`value` with every secret masked, at any depth, in keys too, in whatever form it stands there."""
    wanted = frozenset(secrets) - {""}
    return _prepared(wanted).value(value) if wanted else value


@contextmanager
def hiding(secrets: Callable[[], Iterable[str]]) -> Iterator[None]:
    """In this block, and in what is begun in it, the program's log is kept free of these, whoever writes to it."""
    token = _hidden_here.set(secrets)
    try:
        yield
    finally:
        _hidden_here.reset(token)


def redact_here(text: str) -> str:
    """`text` without the secrets that are in use where this is called."""
    return str(redact(text, _hidden_here.get()()))


_hidden_here: ContextVar[Callable[[], Iterable[str]]] = ContextVar("hidden", default=tuple)


@lru_cache(maxsize=64)
def _prepared(secrets: frozenset[str]) -> "Redactor":
    return Redactor(secrets)


class Redactor:
    """What can be made ready for one set of secrets."""

    def __init__(self, secrets: Iterable[str]) -> None:
        words = set(secrets)
        self._numbers: set[int | float] = set()
        for secret in tuple(words):
            words.update(_lines_of(secret))
            words.update(self._values_in(secret))
        self._short = sorted((word for word in words if len(word) < SHORTEST), key=len, reverse=True)
        forms = {form for word in words if len(word) >= SHORTEST for form in _forms(word)}
        self._needles = Needles(forms)
        self._encoded = Encoded(min(12, *map(len, forms))) if forms else None

    def value(self, value: Any) -> Any:
        """Any JSON, without the secrets."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.value(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        if self._numbers and isinstance(value, int | float) and value in self._numbers:
            return value if isinstance(value, bool) else MASK
        return value

    def text(self, text: str) -> str:
        """One text."""
        if self._encoded is not None and len(text) >= SHORTEST:
            text = _masked(text, self._spans(text, NESTED))
        for word in self._short:
            text = text.replace(word, MASK)
        return text

    def _spans(self, text: str, depth: int) -> list[Span]:
        """Where secrets stand in `text`, in any form."""
        found = self._needles.spans(text)
        found += self._decoded(text, depth)
        layers: list[Unescaped] = []
        inner = text
        while len(layers) < LAYERS and (layer := unescaped(inner)) is not None:
            layers.append(layer)
            inner = layer.text
            found += _back(layers, self._needles.spans(inner))
            if "+" in inner:
                found += _back(layers, self._needles.spans(inner.replace("+", " ")))
        if layers:
            found += _back(layers, self._decoded(inner, depth))
        elif "+" in text:
            found += self._needles.spans(text.replace("+", " "))
        return found

    def _decoded(self, text: str, depth: int) -> list[Span]:
        if depth == 0 or self._encoded is None:
            return []
        return [
            reading.back(span)
            for reading in self._encoded.readings(text)
            for span in self._spans(reading.text, depth - 1)
        ]

    def _values_in(self, secret: str) -> Iterator[str]:
        """What of a secret is one by itself, once it is read as JSON; the numbers are noted."""
        if secret[0] in '{["':
            try:
                pending = [json.loads(secret)]
            except (ValueError, RecursionError):
                return
            while pending:
                match pending.pop():
                    case dict() as inner:
                        pending.extend(inner.values())
                    case list() as inner:
                        pending.extend(inner)
                    case str() as inner if len(inner) >= PART:
                        yield inner
                    case int() | float() as number if len(str(number)) >= PART:
                        self._numbers.add(number)
        elif _NUMBER.fullmatch(secret):
            try:
                self._numbers.add(json.loads(secret))
            except ValueError:
                return


class Needles:
    """Forms of secrets, found as a whole, in pieces that are long enough to matter, or cut."""

    def __init__(self, forms: Iterable[str]) -> None:
        self._words = [form for form in forms if len(form) < SEED]
        self._long = [form for form in forms if len(form) >= SEED]
        self._seeds: dict[str, list[tuple[str, int]]] = {}
        for form in self._long:
            for at in _seeds_of(form):
                self._seeds.setdefault(form[at : at + SEED], []).append((form, at))
        self._beginnings: dict[str, list[str]] = {}
        self._ends: dict[str, list[str]] = {}
        for form in (*self._words, *self._long):
            for size in range(SHORTEST, min(len(form), PIECE)):
                self._beginnings.setdefault(form[size - SHORTEST : size], []).append(form[:size])
                self._ends.setdefault(form[-size:][:SHORTEST], []).append(form[-size:])

    def spans(self, text: str) -> list[Span]:
        """Where they stand in `text`."""
        found = [(at, at + len(word)) for word in self._words for at in _all(text, word)]
        known: dict[tuple[str, int], int] = {}
        for seed, here in self._hits(text):
            for form, at in self._seeds[seed]:
                if here + SEED <= known.get((form, at), 0):
                    continue
                first, start, end = _grown(form, at, text, here)
                if _tells(form, first, text, start, end):
                    found.append((start, end))
                    known[form, at] = end
        if "…" in text or "..." in text:
            for match in _ELLIPSIS.finditer(text):
                found += self._cut(text, *match.span())
        return found

    def _hits(self, text: str) -> Iterator[tuple[str, int]]:
        """Each seed that is in the text, and where; by whichever way is quicker."""
        seeds = self._seeds
        if len(text) * _A_STEP < len(seeds) * (_A_SEARCH + len(text)):
            for here in range(len(text) - SEED + 1):
                if (seed := text[here : here + SEED]) in seeds:
                    yield seed, here
        else:
            for seed in seeds:
                for here in _all(text, seed):
                    yield seed, here

    def _cut(self, text: str, start: int, end: int) -> Iterator[Span]:
        """What is left of one that an ellipsis cuts off."""
        end += text.startswith(("'", '"'), end)
        shortened = _BEFORE_IT.search(text, max(start - 6, 0), start)
        start = shortened.start() if shortened else start
        for beginning in self._beginnings.get(text[max(start - SHORTEST, 0) : start], ()):
            if text.endswith(beginning, 0, start):
                yield start - len(beginning), start
        for rest in self._ends.get(text[end : end + SHORTEST], ()):
            if text.startswith(rest, end):
                yield end, end + len(rest)


def _lines_of(secret: str) -> Iterator[str]:
    """Lines that count as secrets themselves; longer ones are found as pieces."""
    if "\n" in secret:
        yield from (line for line in map(str.strip, secret.splitlines()) if PART <= len(line) < PIECE)


def _seeds_of(form: str) -> Iterator[int]:
    """Where in a form seeds are taken: any PIECE of it holds one, and so do its beginning and its end."""
    if len(form) < PIECE:
        yield from {0, len(form) - SEED}
        return
    apart = max(SEED, len(form) // MOST_SEEDS)
    yield from range(0, len(form) - SEED, apart)
    yield len(form) - SEED


def _all(text: str, word: str) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)


def _grown(form: str, at: int, text: str, here: int) -> tuple[int, int, int]:
    """How far a seed's neighbours agree: where in the form that begins, and where in the text it is."""
    start = here - at
    if start >= 0 and text.startswith(form, start):
        return 0, start, start + len(form)
    first, start = at, here
    while first > 0 and start > 0 and form[first - 1] == text[start - 1]:
        first, start = first - 1, start - 1
    last, end = at + SEED, here + SEED
    while last < len(form) and end < len(text) and form[last] == text[end]:
        last, end = last + 1, end + 1
    return first, start, end


def _tells(form: str, first: int, text: str, start: int, end: int) -> bool:
    """Whether that much of a form gives something away: all of it, a piece, or what is left after a cut."""
    size = end - start
    if size == len(form):
        return True
    origin = _ORIGIN.match(form)  # a server's name alone gives nothing away
    if size - max((origin.end() if origin else 0) - first, 0) >= PIECE:
        return True
    cut_before = first + size == len(form) and text[start - 1 : start] in ("", APART)
    return cut_before or (first == 0 and text[end : end + 1] in ("", APART))


def _back(layers: list[Unescaped], spans: list[Span]) -> list[Span]:
    """Where those of the innermost layer stood in the text around them all."""
    for layer in reversed(layers):
        spans = [layer.back(span) for span in spans]
    return spans


def _forms(word: str) -> Iterator[str]:
    """A word as characters, as bytes and on one line; each as it is, and with whatever is an escape in it undone."""
    one_line = " ".join(word.split())
    for form in (
        word,
        word.encode("utf-8", "surrogatepass").decode("latin-1"),
        _BLANK.sub(" ", word),
        one_line,
    ):
        inner = form
        for _ in range(LAYERS):
            layer = unescaped(inner)
            if layer is None:
                break
            inner = layer.text
        spaced = (form.replace("+", " "), inner.replace("+", " "))
        yield from (text for text in (form, *spaced) if len(text) >= SHORTEST)
    yield from _written(word)


def _written(word: str) -> Iterator[str]:
    """As it is usually escaped: exact also where half an escape at its end runs into what stands behind it."""
    yield json.dumps(word)[1:-1]
    yield json.dumps(word, ensure_ascii=False)[1:-1]
    yield repr(word)[1:-1]
    yield html.escape(word)
    yield quote(word, safe="", errors="surrogatepass")
    yield quote_plus(word, errors="surrogatepass")
    yield word.replace("'", "'\"'\"'")
    yield word.replace("'", "'\\''")


def _masked(text: str, spans: list[Span]) -> str:
    pieces: list[str] = []
    last = 0
    for start, end in _joined(spans):
        pieces += (text[last:start], MASK)
        last = end
    return "".join([*pieces, text[last:]]) if pieces else text


def _joined(spans: list[Span]) -> Iterator[Span]:
    """In order, those that overlap as one."""
    spans.sort()
    here: Span | None = None
    for start, end in spans:
        if here is not None and start < here[1]:
            here = (here[0], max(here[1], end))
            continue
        if here is not None:
            yield here
        here = (start, end)
    if here is not None:
        yield here
