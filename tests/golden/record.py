# ruff: noqa: E402, I001 - the tests that it uses lie elsewhere
"""Record the history of every story that has none yet; what is recorded is never changed."""

import asyncio
import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "opcode_core" / "tests" / "engine"))

from conftest import Bench
from engine_stories import CHILD, WORKFLOWS, recorded

from opcode_core.contracts.storage import RunFilter
from opcode_core.events import FORMAT


def path_of(name: str) -> Path:
    """Where a story's history lies."""
    return HERE / f"{re.sub(r'[^a-z]+', '_', name.lower())}.{FORMAT}.json"


async def record(name: str) -> None:
    """Run a story to its end and write down all logs."""
    bench = Bench()
    await bench.engine.start_up()
    state, _ = await recorded(bench, name)
    runs = (await bench.storage.runs(RunFilter())).items
    logs = {run.id: await bench.events(run.id) for run in reversed(runs)}
    await bench.engine.shut_down(grace=1)
    path_of(name).write_text(as_text(name, state, logs), "utf-8")


def as_text(name: str, state: object, logs: dict) -> str:
    """One event a line, so that people can read it."""
    end = {
        "status": state.status,
        "output": state.output,
        "error": state.error,
        "steps": {step_id: [step.status, step.attempt] for step_id, step in state.steps.items()},
    }
    head = {
        "story": name,
        "run": state.id,
        "definition": WORKFLOWS[name],
        "child": CHILD,
        "end": end,
    }
    lines = [json.dumps(head)[:-1] + ', "logs": {']
    for run_id, log in logs.items():
        lines.append(f"{json.dumps(run_id)}: [")
        lines += [json.dumps(list(event)) + ("," if event is not log[-1] else "") for event in log]
        lines.append("]," if run_id != list(logs)[-1] else "]")
    return "\n".join([*lines, "}}"]) + "\n"


if __name__ == "__main__":
    for story in WORKFLOWS:
        if not path_of(story).exists():
            asyncio.run(record(story))
            print(f"recorded {path_of(story).name}")
