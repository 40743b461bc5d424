"""What this package adds."""

from collections.abc import Sequence

from opcode_core import Action, hookimpl


@hookimpl
def opcode_actions() -> Sequence[Action]:
    """The actions workflow.* and expr.eval."""
    from opcode_workflow import actions, expressions

    return [
        actions.run,
        actions.emit,
        actions.context_,
        actions.fail,
        actions.log,
        actions.notify,
        expressions.evaluate,
    ]
