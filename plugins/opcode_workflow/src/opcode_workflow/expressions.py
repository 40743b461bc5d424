"""The action expr.eval: an expression in any installed language."""

from typing import Annotated, Any

from pydantic import Field

from opcode_core import ActionContext, action


@action("expr.eval", effect="pure")
async def evaluate(
    context: ActionContext,
    expression: Annotated[str, Field(min_length=1)],
    data: Any = None,
    engine: Annotated[str, Field(description="python, cel, jq or any other that is installed")] = "python",
) -> dict[str, Any]:
    """Evaluate an expression over the step's scope and `data`."""
    return {"result": await context.run.evaluate(engine, expression, data)}
