"""Which isolator is used, and what becomes of limits that it does not keep."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from opcode_core import Command, Engine, ErrorCode, Finished, Limits, OpcodeError, Probe
from opcode_core.isolation import ChosenIsolator
from opcode_core.memory import MemoryStorage
from opcode_core.plugins.manager import PluginManager

OPCODE = Path(sys.executable).with_name("opcode")
TRUE = Command(argv=["/bin/true"], env={})


class Fake:
    """An isolator that only remembers what it was asked."""

    def __init__(self, name, *, works=True, strength=1, keeps=frozenset(), confines=False):
        self.name = name
        self.asked = []
        self.probes = 0
        layer = "works" if works else "missing: no luck"
        self._probe = Probe(works, strength, {f"{name} layer": layer}, keeps, confines)

    def probe(self):
        self.probes += 1
        return self._probe

    async def run(self, command, limits):
        self.asked.append(limits)
        return Finished(0, b"", b"", 0.0)


def chosen(isolation, *fakes):
    return ChosenIsolator({fake.name: fake for fake in fakes}, isolation)


WEAK = {"name": "weak", "strength": 1}
STRONG = {"name": "strong", "strength": 9, "confines": True}


def test_auto_takes_the_strongest_that_works():
    assert chosen("auto", Fake(**WEAK), Fake(**STRONG)).name == "strong"
    assert chosen("auto", Fake(**WEAK), Fake(**STRONG, works=False)).name == "weak"


def test_nothing_is_tried_before_it_is_needed_and_then_once():
    fake = Fake("only")
    found = chosen("auto", fake)
    found.check()
    assert fake.probes == 0
    assert [found.name, found.probe().works, found.name] == ["only", True, "only"]
    assert fake.probes == 1


def test_a_name_takes_that_one_even_if_it_is_weaker():
    assert chosen("weak", Fake(**WEAK), Fake(**STRONG)).name == "weak"


async def test_a_named_one_that_does_not_work_runs_nothing():
    found = chosen("strong", Fake(**WEAK), Fake(**STRONG, works=False))
    with pytest.raises(OpcodeError) as caught:
        await found.run(TRUE, Limits())
    assert caught.value.code == ErrorCode.ISOLATION_ERROR
    assert "the isolator strong has: strong layer missing: no luck" in caught.value.message


async def test_an_unknown_name_stops_an_engine_from_starting():
    engine = Engine(MemoryStorage(), PluginManager(discover=False), isolation="zzz")
    with pytest.raises(OpcodeError) as caught:
        await engine.start_up()
    assert caught.value.code == ErrorCode.VALIDATION_ERROR
    assert "isolation is 'zzz', which is no isolator; " in caught.value.message
    assert "auto, require, process" in caught.value.message


async def test_require_runs_nothing_unprotected_and_says_what_is_missing():
    weak = Fake(**WEAK)
    with pytest.raises(OpcodeError) as caught:
        await chosen("require", weak, Fake(**STRONG, works=False)).run(TRUE, Limits())
    assert caught.value.code == ErrorCode.ISOLATION_ERROR
    assert "no luck" in caught.value.message
    assert weak.asked == []
    assert chosen("require", weak, Fake(**STRONG)).name == "strong"


@pytest.mark.parametrize("limits", [{"max_pids": 5}, {"max_cpu_percent": 50.0}, {"max_memory_bytes": 9}])
async def test_what_bounds_how_much_is_left_out_aloud_but_not_under_require(limits):
    fake = Fake(**STRONG)
    done = await chosen("auto", fake).run(TRUE, Limits(timeout=3.0, **limits))
    assert done.unkept == tuple(limits)
    assert fake.asked == [Limits(timeout=3.0)]
    with pytest.raises(OpcodeError) as caught:
        await chosen("require", fake).run(TRUE, Limits(**limits))
    assert (caught.value.code, caught.value.details["limits"]) == (ErrorCode.ISOLATION_ERROR, [*limits])
    assert len(fake.asked) == 1


@pytest.mark.parametrize(
    "limits",
    [
        {"allow_network": False},
        {"deny_paths": (Path("/etc"),)},
        {"writable_paths": (Path("/tmp"),)},
        {"read_only_paths": (Path("/tmp"),)},
    ],
)
@pytest.mark.parametrize("isolation", ["auto", "require", "strong"])
async def test_what_bounds_the_reach_is_never_left_out(limits, isolation):
    fake = Fake(**STRONG)
    with pytest.raises(OpcodeError) as caught:
        await chosen(isolation, fake).run(TRUE, Limits(max_pids=5, **limits))
    assert caught.value.code == ErrorCode.ISOLATION_ERROR
    assert (
        f"{next(iter(limits))}, max_pids cannot be enforced here, so nothing was run" in caught.value.message
        or (f"max_pids, {next(iter(limits))} cannot be enforced here" in caught.value.message)
    )
    assert fake.asked == []


async def test_limits_that_are_kept_pass_whole():
    fake = Fake("only", keeps=frozenset({"max_pids", "allow_network"}))
    limits = Limits(max_pids=3, allow_network=False, timeout=1.0)
    assert (await chosen("auto", fake).run(TRUE, limits)).unkept == ()
    assert fake.asked == [limits]


async def test_one_that_does_not_say_what_it_keeps_is_asked():
    fake = Fake("only", keeps=None)
    await chosen("require", fake, Fake(**STRONG, works=False), Fake("x", confines=True, keeps=None)).run(
        TRUE, Limits()
    )
    await chosen("auto", fake).run(TRUE, Limits(max_pids=3))
    assert fake.asked == [Limits(max_pids=3)]


@pytest.mark.parametrize(
    ("fakes", "level", "said"),
    [
        ([WEAK, STRONG], "INFO", "the isolator strong is used: strong layer: works"),
        ([WEAK], "WARNING", "the isolator weak is used: weak layer: works"),
        ([], "ERROR", "no isolator is installed"),
    ],
)
async def test_the_log_says_which_one_is_used(fakes, level, said, caplog):
    with caplog.at_level(logging.INFO, "opcode.isolation"):
        await chosen("auto", *(Fake(**fake) for fake in fakes)).announce()
    (record,) = caplog.records
    assert record.levelname == level
    assert said in record.message


def doctor(tmp_path, **env):
    done = subprocess.run(
        [OPCODE, "doctor", "--json"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **env},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def test_doctor_shows_the_isolator_with_its_layers(tmp_path):
    code, said = doctor(tmp_path, OPCODE_ISOLATION="process")
    assert (code, said["examined"]["isolator"]) == (0, "process")
    assert said["examined"]["layers"]["timeout"] == "works"


def test_doctor_finds_that_what_is_required_is_missing(tmp_path):
    code, said = doctor(tmp_path, OPCODE_ISOLATION="require", OPCODE_PLUGINS_DENY="cgroups,landlock")
    assert code == 1
    (finding,) = [finding for finding in said["findings"] if finding["area"] == "isolator"]
    assert "needs a stronger isolator plugin" in finding["what"]


def test_a_step_under_require_without_protection_fails(tmp_path):
    (tmp_path / "w.json").write_text(
        json.dumps({"steps": [{"id": "a", "action": "shell.exec", "params": {"command": "true"}}]})
    )
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    env |= {"OPCODE_ISOLATION": "require", "OPCODE_PLUGINS_DENY": "cgroups,landlock"}
    done = subprocess.run(
        [OPCODE, "run", "w.json"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "ISOLATION_ERROR" in done.stdout + done.stderr
