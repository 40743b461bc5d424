"""What the parts of one compilation share: what is installed, and what was found wrong so far."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from opcode_core.compiler.catalogue import Catalogue
from opcode_core.contracts.expression import ExpressionEngine, Program
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.issues import InvalidDefinition, Issue, shown
from opcode_core.references import Names, unknown_step
from opcode_core.suggestions import available, did_you_mean
from opcode_core.templates import Surroundings, Template

T = TypeVar("T")

MOST_ISSUES = 100
_WHOLE_TEMPLATE = re.compile(r"\s*\$\{\{(.*)\}\}\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the workflow a step stands: which names it sees, and whether a loop is around it."""

    names: Names
    in_loop: bool = False


@dataclass(slots=True)
class Workbench:
    """One compilation. Nothing stops at the first fault: every part notes what it finds and goes on.

    Attributes:
        secret_inputs: inputs whose default holds a secret.
        secrets: all that were named in params so far.
        keeps_iterations: something refers to the steps of a single iteration, so none is folded away.
    """

    catalogue: Catalogue
    keeps_iterations: bool
    secret_inputs: Mapping[str, Template] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)
    issues: list[Issue] = field(default_factory=list)
    warnings: list[Issue] = field(default_factory=list)

    @property
    def cel(self) -> ExpressionEngine | None:
        """The engine of guards and templates."""
        return self.catalogue.engine("cel")

    def refuse(
        self, path: str, message: str, hint: str = "", code: ErrorCode = ErrorCode.VALIDATION_ERROR
    ) -> None:
        """Note a fault.

        Raises:
            InvalidDefinition: when there are more than anybody would read.
        """
        self.issues.append(Issue(path, message, hint, code))
        if len(self.issues) >= MOST_ISSUES:
            raise InvalidDefinition([*self.issues, Issue("", "there may be more; these are the first")])

    def attempt(self, path: str, compile_: Callable[[], T]) -> T | None:
        """What `compile_` gives, or None after noting why it could not."""
        try:
            return compile_()
        except OpcodeError as error:
            self.refuse(path, error.message, str(error.details.get("hint", "")), error.code)
            return None

    def around(self, place: Place, *, secrets: bool = False) -> Surroundings:
        """What templates see from `place`; only an action's params may see secrets."""
        return Surroundings(place.names, self.cel, self.secret_inputs, place.in_loop, allow_secrets=secrets)

    def program(self, source: str, path: str, names: Names) -> Program | None:
        """A CEL program; `${{ … }}` around the whole of it is accepted."""
        cel = self.cel
        if cel is None:
            what = f"{shown(source)} needs the expression engine 'cel', which is not installed"
            self.refuse(path, what, "pip install opcode-cel")
            return None
        whole = _WHOLE_TEMPLATE.fullmatch(source)
        text = (whole.group(1) if whole else source).strip()
        if (step_id := unknown_step(text, names)) is not None:
            hint = did_you_mean(step_id, names.known()) or available(names.known())
            self.refuse(path, f"{shown(text)}: there is no step '{step_id}'", hint)
            return None
        return self.attempt(path, lambda: cel.compile(text))
