"""What each type of step does, one file a type.

A body is a function `(run, step, step_id, scope) -> output`. It does the steps inside it through
`run.door`, which is where the log is asked first, so calling a body again continues it.
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from opcode_core.engine.steps.action import call_at_once, count_failure, run_action
from opcode_core.engine.steps.condition import run_condition
from opcode_core.engine.steps.loop import run_loop
from opcode_core.engine.steps.parallel import run_parallel
from opcode_core.engine.steps.reasoning import run_reasoning
from opcode_core.engine.steps.wait import run_wait

BODIES: Mapping[str, Callable[..., Coroutine[Any, Any, Any]]] = {
    "action": run_action,
    "condition": run_condition,
    "loop": run_loop,
    "parallel": run_parallel,
    "wait": run_wait,
    "reasoning": run_reasoning,
}

__all__ = ["BODIES", "call_at_once", "count_failure"]
