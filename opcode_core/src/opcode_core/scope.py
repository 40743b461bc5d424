"""What an expression can see from where it stands in a run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from opcode_core.contracts.expression import Program
from opcode_core.errors import OpcodeError
from opcode_core.state import COMPLETED, FAILED, RunState
from opcode_core.stop import Stop
from opcode_core.unfinished import Unfinished

VIEW_KEYS = ("output", "status", "error")


@dataclass(frozen=True, slots=True)
class StepView:
    """A step as expressions see it: its output itself, and `.output`, `.status` and `.error`
    where the output has no such key."""

    output: Any
    status: str
    error: Mapping[str, Any] | None

    def __getitem__(self, key: Any) -> Any:
        """A key or an index of the output, or one of the three.

        Raises:
            KeyError, IndexError, TypeError: as the output itself would.
        """
        if isinstance(self.output, dict):
            if key in self.output:
                return self.output[key]
        elif key not in VIEW_KEYS:
            return self.output[key]
        if key in VIEW_KEYS:
            return getattr(self, key)
        raise KeyError(key)


class Scope:
    """A place in a run: the whole workflow, one branch, or one iteration of a loop.

    Attributes:
        state: the run.
        prefix: what comes before the bare ids of this place's steps in their full ids.
        prefixes: those of all places from the outermost to this one.
        loop: `item` and `index` of the innermost loop, or None.
        secrets: values by name, there only while an action's params are made.
        stop: set when nothing new may begin here.
        answers: what expressions gave that had to be waited for, and since then the others too.
    """

    __slots__ = ("_names", "answers", "loop", "prefix", "prefixes", "secrets", "state", "stop")

    def __init__(
        self,
        state: RunState,
        stop: Stop,
        prefixes: tuple[str, ...] = ("",),
        loop: dict[str, Any] | None = None,
    ) -> None:
        self.state = state
        self.stop = stop
        self.prefixes = prefixes
        self.prefix = prefixes[-1]
        self.loop = loop
        self.secrets: Mapping[str, str] | None = None
        self.answers: dict[int, tuple[Any, str | None]] | None = None
        self._names: dict[str, Any] | None = None

    def within(self, prefix: str, loop: dict[str, Any] | None = None, stop: Stop | None = None) -> "Scope":
        """A place inside this one; what is not given is this one's."""
        return Scope(self.state, stop or self.stop, (*self.prefixes, prefix), loop or self.loop)

    def with_stop(self, stop: Stop) -> "Scope":
        """The same place, stopped by `stop` too."""
        return Scope(self.state, stop, self.prefixes, self.loop)

    def with_secrets(self, secrets: Mapping[str, str]) -> "Scope":
        """The same place, for the moment of a call."""
        scope = Scope(self.state, self.stop, self.prefixes, self.loop)
        scope.secrets = secrets
        return scope

    def with_answer(self, program: Program, answer: Any, missed: str | None) -> "Scope":
        """The same place, where `program` gives `answer`, or raises it, after it looked for `missed`."""
        scope = Scope(self.state, self.stop, self.prefixes, self.loop)
        scope.secrets = self.secrets
        scope.answers = {**(self.answers or {}), id(program): (answer, missed)}
        return scope

    def evaluate(self, program: Program, names: Mapping[str, Any] | None = None) -> Any:
        """The value of an expression that stands here, or sees `names`.

        Raises:
            OpcodeError: as the program does.
            Unfinished: it has to be waited for.
        """
        if self.answers is not None and id(program) in self.answers:
            answer, self.names["steps"].missed = self.answers[id(program)]
            if isinstance(answer, OpcodeError):
                raise answer
            return answer
        value = program.evaluate(self.names if names is None else names)
        if hasattr(value, "__await__"):
            raise Unfinished(program, self, value)
        if self.answers is not None:
            self.answers[id(program)] = value, None
        return value

    @property
    def names(self) -> dict[str, Any]:
        """What expression engines are given; the steps are looked up as they are touched."""
        names = self._names
        if names is None:
            state = self.state
            names = self._names = {
                "steps": Steps(self),
                "inputs": state.inputs,
                "workflow": state.workflow,
                "context": state.context,
            }
            if self.loop is not None:
                names["iter"] = names["loop"] = self.loop
        return names


class Steps(Mapping[str, StepView]):
    """The steps that have ended, by the ids that are valid in `scope`.

    Attributes:
        missed: an id that was asked for though its step did not run, or None. A guard that
            fails after such a look is false.
    """

    __slots__ = ("_scope", "missed")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.missed: str | None = None

    def __getitem__(self, step_id: str) -> StepView:
        state = self._scope.state
        for prefix in reversed(self._scope.prefixes):
            step = state.steps.get(prefix + step_id)
            if step is not None:
                if step.status != COMPLETED and step.status != FAILED:
                    self.missed = step_id
                output = step.output if step.fallback is None else state.output_of(prefix + step_id)
                return StepView(output, step.status, step.error)
        self.missed = step_id
        raise KeyError(step_id)

    def __contains__(self, step_id: object) -> bool:
        """Whether it began; a guard that asks this does not depend on the answer being yes."""
        return any(f"{prefix}{step_id}" in self._scope.state.steps for prefix in self._scope.prefixes)

    def __iter__(self) -> Iterator[str]:
        seen = set()
        for prefix in reversed(self._scope.prefixes):
            for full_id in self._scope.state.steps:
                step_id = full_id[len(prefix) :]
                if full_id.startswith(prefix) and step_id not in seen:
                    seen.add(step_id)
                    yield step_id

    def __len__(self) -> int:
        return sum(1 for _ in self)
