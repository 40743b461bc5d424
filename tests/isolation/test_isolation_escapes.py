"""Every isolator goes through the same attacks. docs/isolation.md shows this table."""

import os
import re
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest

from opcode_cgroups.isolator import CgroupIsolator
from opcode_core import Limits, ProcessIsolator
from opcode_landlock.isolator import LandlockIsolator
from opcode_testkit.isolation import ATTACKS, LAYERS, isolator_suite, outcome_of

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
PROMISED = {
    "process": {"memory", "timeout", "always"},
    "landlock": {*LAYERS} - {"cpu", "pids"},
    "cgroups": {*LAYERS},
}
ISOLATORS = {"process": ProcessIsolator, "landlock": LandlockIsolator, "cgroups": CgroupIsolator}
ENTRIES = {name: f"{kind.__module__}:{kind.__qualname__}" for name, kind in ISOLATORS.items()}


@cache
def isolator_named(name):
    return ISOLATORS[name]()


@pytest.mark.parametrize("name", ISOLATORS)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name.replace(" ", "-"))
async def test_an_attack(attack, name, tmp_path, tally):
    if attack.layer not in PROMISED[name]:
        pytest.skip(f"NOT PROMISED: {name} does not hold {attack.layer}")
    probe = isolator_named(name).probe()
    if not probe.works:
        pytest.skip(f"NOT TRIED: {name} does not work here: {dict(probe.layers)}")
    outcome = await outcome_of(attack, isolator_named(name), tmp_path / "arena", PROMISED[name])
    tally(f"{name} as uid {os.getuid()}", outcome)
    if outcome.state == "refused":
        pytest.skip(f"REFUSED: {name} does not keep {outcome.why} here, and says so: {dict(probe.layers)}")
    assert outcome.state == "held", outcome


class Bare(ProcessIsolator):
    """Keeps nothing but the timeout."""

    async def run(self, command, limits):
        return await super().run(command, Limits(timeout=limits.timeout))


SAFE_TO_LET_SUCCEED = {
    "read outside the allowed paths",
    "write outside the allowed paths",
    "write what may only be read",
    "reach what is denied",
    "make what is denied and not there yet",
    "reach the network",
    "bomb with forks",
    "leave a daemon behind",
    "outlive being given up",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name.replace(" ", "-"))
async def test_the_attacks_succeed_where_nothing_holds_them(attack, tmp_path):
    if attack.name not in SAFE_TO_LET_SUCCEED:
        pytest.skip("it might do harm, or it depends on who runs it")
    assert (await outcome_of(attack, Bare(), tmp_path / "arena")).state == "escaped"


@pytest.mark.parametrize("name", ["landlock", "cgroups"])
def test_without_any_rights(name, tally):
    """The same as nobody: every layer that needs no rights, and an honest word about the others."""
    if os.getuid() != 0:
        pytest.skip("NOT TRIED: only root can become nobody (the other tests ran as an ordinary user)")
    python = python_for_nobody()
    if python is None:
        pytest.skip("NOT TRIED: there is no Python 3.11 here that nobody may run")
    with tempfile.TemporaryDirectory() as scratch:  # pytest's own folders are closed to nobody
        os.chown(scratch, NOBODY, NOBODY)
        done = as_nobody([python, "-m", "opcode_testkit.isolation", ENTRIES[name]], TMPDIR=scratch)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.findall(r"^(held|refused|escaped|not promised) +(\w+)", done.stdout, re.MULTILINE)
    assert len(found) == len(ATTACKS)
    lacking = {"cpu"} | ({"pids"} if name == "landlock" else set())
    assert {layer for state, layer in found if state != "held"} <= lacking, done.stdout
    for state, layer in found:
        tally(f"{name} as nobody", type("Seen", (), {"state": state, "layer": layer}))


async def test_the_suite_as_authors_of_plugins_call_it(tmp_path):
    outcomes = await isolator_suite(isolator_named("process"), tmp_path, promised={"always"})
    assert [outcome.attack for outcome in outcomes] == [attack.name for attack in ATTACKS]
    assert {outcome.state for outcome in outcomes if outcome.layer == "always"} == {"held"}
    assert {outcome.state for outcome in outcomes if outcome.layer != "always"} == {"not promised"}


def test_the_document_shows_this_table():
    rows = re.findall(
        r"^\| `(\w+)` \|.*\| (\S+) \| (\S+) \| (\S+) \|$",
        (ROOT / "docs/isolation.md").read_text("utf-8"),
        re.MULTILINE,
    )
    names = ["process", "landlock", "cgroups"]
    shown = {name: {row[0] for row in rows if row[1 + i] != "no"} for i, name in enumerate(names)}
    assert {row[0] for row in rows} == {*LAYERS}
    assert shown == PROMISED


@cache
def python_for_nobody():
    script = "import sys; sys.exit(sys.version_info < (3, 11))"
    for python in (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"):
        try:
            if as_nobody([python, "-I", "-S", "-c", script]).returncode == 0:
                return python
        except OSError:
            continue
    return None


def as_nobody(command, **env):
    packages = ["opcode_core", "plugins/opcode_landlock", "plugins/opcode_cgroups", "plugins/opcode_testkit"]
    path = os.pathsep.join(str(ROOT / package / "src") for package in packages)
    return subprocess.run(
        command,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **env},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
