"""The action expr.eval: an expression in any installed language."""

from typing import Annotated, Any

from pydantic import Field

from opcode_core import ActionContext, OpcodeError, action


@action("expr.eval", effect="pure", breaker=False)
async def evaluate(
    context: ActionContext,
    expression: Annotated[str, Field(min_length=1)],
    data: Any = None,
    engine: Annotated[
        str | None,
        Field(
            description="python, cel, jq, expr or any other that is installed; by default the one that can read it"
        ),
    ] = None,
) -> dict[str, Any]:
    """Evaluate an expression over the step's scope and `data`: Python's, or `expr` where only that can read it."""
    try:
        return {"result": await context.run.evaluate(engine, expression, data)}
    except OpcodeError as error:
        if engine is None and error.details.get("engine") == "python":
            what = f'{error.message} (without \'engine\' this is Python; "cel", "jq" and "expr" are others)'
            raise OpcodeError(error.code, what, details=error.details) from None
        raise
