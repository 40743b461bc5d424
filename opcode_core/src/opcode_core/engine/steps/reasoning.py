"""The reasoning step: a decision that is handed to an agent or a person."""

from typing import TYPE_CHECKING, Any

from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.plan import StepPlan
from opcode_core.scope import Scope

if TYPE_CHECKING:
    from opcode_core.engine.run import Run


async def run_reasoning(run: "Run", step: StepPlan, step_id: str, scope: Scope) -> dict[str, Any]:
    """Refuse: this engine runs workflows that wait for nobody.

    Raises:
        OpcodeError: NON_RETRYABLE.
    """
    del run, step, scope
    raise OpcodeError(
        ErrorCode.NON_RETRYABLE,
        f"step '{step_id}' asks for a decision, and there is nobody here who could be asked",
    )
