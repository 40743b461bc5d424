"""Every scenario of every example runs as its file says, against a real service on loopback."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from opcode_core.cli.example_files import Example, all_examples, set_up, stub_module
from opcode_core.cli.rehearsal import Script, rehearse
from opcode_core.state import RunState
from tests.examples.conftest import lacks, missing_in_file

SCENARIOS = [
    pytest.param(one, name, id=f"{one.name}-{name}")
    for one in all_examples()
    for name in one.scenarios["scenarios"]
]


@pytest.mark.timeout(40)
@pytest.mark.asyncio(loop_scope="session")  # the processes in which expressions are evaluated serve all tests
@pytest.mark.parametrize(("one", "name"), SCENARIOS)
async def test_a_scenario(one: Example, name: str, service, plugins, tmp_path: Path, monkeypatch):
    if any(one.folder.rglob("*.mjs")) and shutil.which("node") is None:
        pytest.skip("node is not there")
    stub, address = service
    scenario = one.scenarios["scenarios"][name]
    stub.play(stub_module().routes_of(one.scenarios, name))
    here = tmp_path / one.name
    shutil.copytree(one.folder, here)
    monkeypatch.chdir(here)
    set_up(one)
    people = Script(scenario.get("answers", {}), scenario.get("signals", {}))
    params = {"base_url": address, **scenario.get("params", {})}
    log: list[Any] = []
    state = await rehearse(one, params, people, plugins, show=log.append)
    faults = differences(scenario["expect"], state, stub.calls, here, [event.event_type for event in log])
    assert not faults, "\n".join([*faults, f"error: {state.error}", f"output: {state.output}"])
    assert not [call.route for call in stub.calls if call.route not in stub.routes], (
        "calls that no route fits"
    )
    text = repr(log) + repr(state)
    assert not [key for key, value in one.scenarios.get("secrets", {}).items() if value in text], (
        "a secret is shown"
    )


def differences(expect: dict, state: RunState, calls: list, here: Path, events: list[str]) -> list[str]:
    """Everything in which a run is not as expected."""
    count = Counter(call.route for call in calls)
    last = {call.route: call.body for call in calls}
    faults = lacks(expect["status"], state.status, "status")
    faults += lacks(expect.get("output", {}), state.output, "output") if "output" in expect else []
    if "error" in expect:
        faults += lacks(expect["error"]["code"], (state.error or {}).get("code"), "error.code")
        faults += lacks(
            {"~": expect["error"]["message"]}, (state.error or {}).get("message"), "error.message"
        )
    faults += lacks(expect.get("context", {}), state.context, "context")
    for step_id, status in expect.get("steps", {}).items():
        found = state.steps.get(step_id)
        faults += lacks(status, None if found is None else found.status, f"steps.{step_id}")
    for route, times in expect.get("calls", {}).items():
        faults += lacks(times, count[route], f"calls.{route}")
    for route, body in expect.get("sent", {}).items():
        faults += lacks(body, last.get(route), f"sent.{route}")
    for name, part in expect.get("files", {}).items():
        faults += missing_in_file(here / name, part)
    return faults + [f"no event {event}" for event in expect.get("events", []) if event not in events]
