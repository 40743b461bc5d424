import logging
from pathlib import Path

import pytest

from opcode_core import ActionContext, Isolator, PathPolicy, StepLogger
from opcode_core.process_isolator import ProcessIsolator
from opcode_shell.execute import execute


def context(paths: PathPolicy, isolator: Isolator) -> ActionContext:
    return ActionContext(
        run_id="r1",
        step_id="s1",
        agent_id="a1",
        attempt=1,
        idempotency_key="k1",
        deadline=None,
        logger=StepLogger(logging.getLogger("test")),
        isolator=isolator,
        paths=paths,
        run=None,
    )


@pytest.fixture
def shell(tmp_path: Path):
    """Call `shell.exec` as the engine does; `paths` are what the program itself may touch."""

    async def call(paths: PathPolicy | None = None, *, isolator: Isolator | None = None, **params):
        return await execute.call(params, context(paths or PathPolicy(), isolator or ProcessIsolator()))

    return call
