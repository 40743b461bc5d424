"""`${{ … }}`: compiled once, rendered many times, values put in as values."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from opcode_core.codec import dumps
from opcode_core.contracts.expression import ExpressionEngine
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.references import Names, Segment, unknown_step
from opcode_core.scope import Scope
from opcode_core.state import COMPLETED, STEP_ENDED
from opcode_core.suggestions import available, did_you_mean

Getter = Callable[[Scope], Any]

NAMESPACES = ("steps", "inputs", "workflow", "context", "secrets", "loop")
_OPEN = "${{"
_STEP_FIELDS = ("output", "status", "error")
_PATH_START = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATH_PART = re.compile(
    r"""\s*(?:\.\s*(?P<name>[A-Za-z0-9_][A-Za-z0-9_-]*)
        |\[\s*(?:(?P<index>-?\d+)|'(?P<single>[^'\\]*)'|"(?P<double>[^"\\]*)")\s*\])""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a template may refer to from where it stands.

    Attributes:
        names: the steps.
        cel: the engine for what is not a plain path, or None when none is installed.
        secret_inputs: inputs whose default holds a secret, by name.
        in_loop: whether `loop` means anything here.
        allow_secrets: whether this is an action's params, the only place for secrets.
    """

    names: Names
    cel: ExpressionEngine | None
    secret_inputs: Mapping[str, "Template"]
    in_loop: bool = False
    allow_secrets: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """A JSON value in which some strings hold expressions.

    Attributes:
        render: gives a value of its own, which the receiver may keep and change.
        static: it holds no expression.
        secrets: the secrets that it names itself.
        secret_inputs: the inputs with secret defaults that it names.
    """

    render: Getter
    static: bool
    secrets: frozenset[str] = frozenset()
    secret_inputs: frozenset[str] = frozenset()


def compile_template(value: Any, around: Surroundings) -> Template:
    """Compile any JSON value.

    Raises:
        OpcodeError: VALIDATION_ERROR for an expression that cannot be read or means nothing here.
    """
    compiler = _Compiler(around)
    getter = compiler.value(value)
    return Template(
        getter or _copier(value),
        static=getter is None,
        secrets=frozenset(compiler.secrets),
        secret_inputs=frozenset(compiler.secret_inputs),
    )


def compile_expression(source: str, around: Surroundings) -> Getter:
    """Compile what stands between `${{` and `}}`: a plain path, or CEL."""
    return _Compiler(around).expression(source)


def parse_path(source: str) -> list[Segment] | None:
    """The segments of a plain path, or None when `source` is something else."""
    start = _PATH_START.match(source)
    if start is None:
        return None
    segments: list[Segment] = [start.group()]
    position = start.end()
    while position < len(source):
        part = _PATH_PART.match(source, position)
        if part is None:
            return None
        name, index, single, double = part.group("name", "index", "single", "double")
        segments.append(int(index) if index is not None else name or single or double or "")
        position = part.end()
    return segments


def split_template(text: str) -> list[str | tuple[str]]:
    """Cut a string into its literal pieces (str) and its expressions (a tuple of one str).

    Raises:
        OpcodeError: VALIDATION_ERROR when a `${{` is not closed.
    """
    pieces: list[str | tuple[str]] = []
    position = 0
    while (start := text.find(_OPEN, position)) >= 0:
        if start > position:
            pieces.append(text[position:start])
        end = _closing(text, start + len(_OPEN))
        pieces.append((text[start + len(_OPEN) : end].strip(),))
        position = end + 2
    if position < len(text):
        pieces.append(text[position:])
    return pieces


def _closing(text: str, position: int) -> int:
    """Where the `}}` stands that ends an expression, past quotes and braces inside it."""
    start, depth, quote = position, 0, ""
    while position < len(text):
        char = text[position]
        if quote:
            if char == "\\":
                position += 1
            elif char == quote:
                quote = ""
        elif char in "'\"":
            quote = char
        elif char == "{":
            depth += 1
        elif char == "}":
            if depth:
                depth -= 1
            elif text.startswith("}}", position):
                return position
        position += 1
    raise OpcodeError(
        ErrorCode.VALIDATION_ERROR,
        f"'${{{{' is never closed by '}}}}' in {text[max(0, start - 3) : start + 60]!r}",
    )


class _Compiler:
    """Turns values into getters and notes which secrets they need."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.secrets: set[str] = set()
        self.secret_inputs: set[str] = set()

    def value(self, value: Any) -> Getter | None:
        """A getter, or None when `value` holds no expression."""
        if isinstance(value, str):
            return self.text(value) if _OPEN in value else None
        if isinstance(value, dict):
            return self.mapping(value)
        if isinstance(value, list):
            return self.sequence(value)
        return None

    def mapping(self, value: dict[str, Any]) -> Getter | None:
        getters = {key: self.value(item) for key, item in value.items()}
        if not any(getters.values()):
            return None
        parts = [(key, getter or _copier(value[key])) for key, getter in getters.items()]
        return lambda scope: {key: getter(scope) for key, getter in parts}

    def sequence(self, value: list[Any]) -> Getter | None:
        getters = [self.value(item) for item in value]
        if not any(getters):
            return None
        parts = [getter or _copier(item) for getter, item in zip(getters, value, strict=True)]
        return lambda scope: [getter(scope) for getter in parts]

    def text(self, text: str) -> Getter:
        pieces = split_template(text)
        if len(pieces) == 1 and isinstance(pieces[0], tuple):
            getter = self.expression(pieces[0][0])
            return lambda scope: _own(getter(scope))
        parts = [
            (piece, None) if isinstance(piece, str) else ("", self.expression(piece[0])) for piece in pieces
        ]
        return lambda scope: "".join(
            [literal if getter is None else as_text(getter(scope)) for literal, getter in parts]
        )

    def expression(self, source: str) -> Getter:
        if not source:
            raise _invalid("an empty '${{ }}'", "put a path or a CEL expression into it")
        path = parse_path(source)
        if path is not None and (path[0] in NAMESPACES or len(path) > 1):
            return self.path(source, path)
        return self.cel(source)

    def path(self, source: str, path: list[Segment]) -> Getter:
        root, rest = str(path[0]), tuple(path[1:])
        if root == "steps":
            return self.step(source, rest)
        if root == "secrets":
            return self.secret(source, rest)
        if root == "inputs" and rest and rest[0] in self.around.secret_inputs:
            return self.secret_input(source, str(rest[0]), rest[1:])
        if root in ("loop", "iter"):
            if not self.around.in_loop:
                raise _invalid(
                    f"'{source}' stands outside of a loop", "loop.item and loop.index exist in a loop's body"
                )
            return lambda scope: walk(scope.loop, rest, source, root)
        if root in ("inputs", "context", "workflow"):
            return _namespace(root, rest, source)
        raise _invalid(
            f"'{source}': there is no '{root}' to read from",
            did_you_mean(root, NAMESPACES) or available(NAMESPACES),
        )

    def step(self, source: str, rest: tuple[Segment, ...]) -> Getter:
        if not rest:
            raise _invalid(f"'{source}' names no step", "write steps.<id>.output")
        reference = self.around.names.find(rest)
        if reference is None:
            known = self.around.names.known()
            raise _invalid(
                f"'{source}': there is no step '{rest[0]}'",
                did_you_mean(str(rest[0]), known) or available(known),
            )
        depth, step_id = reference.depth, reference.id
        field = str(reference.rest[0]) if reference.rest and reference.rest[0] in _STEP_FIELDS else "output"
        inner = reference.rest[1:] if reference.rest and reference.rest[0] in _STEP_FIELDS else reference.rest

        def get(scope: Scope) -> Any:
            full_id = scope.prefixes[depth] + step_id
            step = scope.state.steps.get(full_id)
            if field == "output":
                if step is None or (step.status != COMPLETED and step.fallback is None):
                    return _output_of_unfinished(scope, full_id, inner, source)
                value = step.output if step.fallback is None else scope.state.output_of(full_id)
            elif step is None:
                value = "pending" if field == "status" else None
            else:
                value = getattr(step, field)
            return walk(value, inner, source, f"steps.{step_id}.{field}") if inner else value

        return get

    def secret(self, source: str, rest: tuple[Segment, ...]) -> Getter:
        if not self.around.allow_secrets:
            raise _invalid(f"'{source}' may not stand here", "secrets can only be used in an action's params")
        if len(rest) != 1:
            raise _invalid(f"'{source}' is not a secret", "write secrets.NAME")
        name = str(rest[0])
        self.secrets.add(name)
        return lambda scope: scope.secrets[name]  # type: ignore[index]

    def secret_input(self, source: str, name: str, rest: tuple[Segment, ...]) -> Getter:
        default = self.around.secret_inputs[name]
        if not self.around.allow_secrets:
            raise _invalid(
                f"'{source}' holds a secret by default and may not stand here",
                "secrets can only be used in an action's params",
            )
        self.secret_inputs.add(name)

        def get(scope: Scope) -> Any:
            inputs = scope.state.inputs
            value = inputs[name] if name in inputs else default.render(scope)
            return walk(value, rest, source, f"inputs.{name}")

        return get

    def cel(self, source: str) -> Getter:
        engine = self.around.cel
        if engine is None:
            raise _invalid(
                f"'{source}' is not a plain path, and the expression engine 'cel' is not installed",
                "pip install opcode-cel",
            )
        if "secrets" in source and re.search(r"(?<![.\w])secrets\s*[.\[]", source):
            raise _invalid(
                f"'{source}': secrets cannot be computed with",
                "use ${{secrets.NAME}} by itself or inside text",
            )
        if (step_id := unknown_step(source, self.around.names)) is not None:
            known = self.around.names.known()
            raise _invalid(
                f"'{source}': there is no step '{step_id}'", did_you_mean(step_id, known) or available(known)
            )
        program = engine.compile(source)

        def get(scope: Scope) -> Any:
            try:
                return scope.evaluate(program)
            except OpcodeError as error:
                raise OpcodeError(
                    ErrorCode.INTERPOLATION_ERROR,
                    f"cannot evaluate '{source}': {error.message}",
                    details={"expression": source, **error.details},
                ) from None

        return get


def walk(value: Any, path: tuple[Segment, ...], source: str, start: str) -> Any:
    """Follow `path` into `value`.

    Raises:
        OpcodeError: INTERPOLATION_ERROR that names what is missing and what is there.
    """
    for position, segment in enumerate(path):
        try:
            if isinstance(value, dict):
                value = value[segment]
            elif isinstance(value, list):
                value = value[int(segment)]
            else:
                raise TypeError
        except (KeyError, IndexError, ValueError, TypeError):
            raise _missing(value, path, position, source, start) from None
    return value


def as_text(value: Any) -> str:
    """How a value looks inside a text: text as it is, everything else as JSON."""
    if isinstance(value, str):
        return value
    body = dumps(value)
    return body.decode("utf-8")


def _namespace(root: str, rest: tuple[Segment, ...], source: str) -> Getter:
    if root == "inputs":
        return lambda scope: walk(scope.state.inputs, rest, source, root)
    if root == "context":
        return lambda scope: walk(scope.state.context, rest, source, root)
    return lambda scope: walk(scope.state.workflow, rest, source, root)


def _copier(value: Any) -> Getter:
    """Gives a constant, and a fresh copy of one that could be changed."""
    if isinstance(value, dict):
        if not any(isinstance(item, dict | list) for item in value.values()):
            return lambda _: value.copy()
        parts = [(key, _copier(item)) for key, item in value.items()]
        return lambda scope: {key: copy(scope) for key, copy in parts}
    if isinstance(value, list):
        copies = [_copier(item) for item in value]
        return lambda scope: [copy(scope) for copy in copies]
    return lambda _: value


def _own(value: Any) -> Any:
    """`value` as somebody's own, who may change it."""
    if isinstance(value, dict):
        return {key: _own(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_own(item) for item in value]
    return value


def _output_of_unfinished(scope: Scope, full_id: str, inner: tuple[Segment, ...], source: str) -> Any:
    steps = scope.state.steps
    step = steps.get(full_id)
    if step is None:
        outermost = steps.get(full_id.split(".", 1)[0])
        over = outermost is not None and outermost.status in STEP_ENDED
        why = "did not run" if over else "has not run yet; name it in depends_on"
    else:
        over = step.status in STEP_ENDED
        why = f"is {step.status}" + (f" ({step.reason})" if step.reason else "")
    if over and not inner:
        return None
    raise OpcodeError(
        ErrorCode.INTERPOLATION_ERROR,
        f"cannot read '{source}': step '{full_id}' {why}, so it has no output",
        details={"expression": source, "missing": full_id, "status": step.status if step else "pending"},
    )


def _missing(value: Any, path: tuple[Segment, ...], position: int, source: str, start: str) -> OpcodeError:
    where = start + "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in path[:position])
    segment = path[position]
    there: list[str] = []
    if isinstance(value, dict):
        there = sorted(map(str, value))
        what = available(there) if there else "it is an empty object"
        hint = did_you_mean(str(segment), there)
    elif isinstance(value, list):
        what, hint = f"it is a list of {len(value)}", ""
    else:
        what, hint = f"it is {_kind(value)}", ""
    return OpcodeError(
        ErrorCode.INTERPOLATION_ERROR,
        f"cannot read '{source}': {where} has no '{segment}'; {what}" + (f"; {hint}" if hint else ""),
        details={"expression": source, "missing": str(segment), "at": where, "available": there[:50]},
    )


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "a text" if isinstance(value, str) else "a number"


def _invalid(what: str, hint: str) -> OpcodeError:
    return OpcodeError(ErrorCode.VALIDATION_ERROR, what, details={"hint": hint})
