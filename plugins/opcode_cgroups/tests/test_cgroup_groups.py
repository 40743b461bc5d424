"""Which cgroups can be used, what is written there, and what is left of a program that was killed."""

import os
import subprocess
from pathlib import Path

import pytest

from opcode_cgroups.groups import Groups, _settings, was_out_of_memory
from opcode_core import Limits

LIMITS = Limits(max_memory_bytes=10**9, max_cpu_percent=150.0, max_pids=20)


def groups(tmp_path, *, own, mounts):
    (tmp_path / "own").write_text(own)
    lines = [
        f"30 29 0:2{n} / {tmp_path}/{name} rw,relatime - {kind} {kind} rw,{options}\n"
        for n, (name, kind, options) in enumerate(mounts)
    ]
    (tmp_path / "mounts").write_text("".join(lines))
    return Groups(tmp_path / "mounts", tmp_path / "own")


def group(path, **files):
    path.mkdir(parents=True)
    (path / "cgroup.procs").touch()
    for name, text in files.items():
        (path / name.replace("_", ".", 1)).write_text(text)


def test_version_2_has_all_in_the_root_of_its_hierarchy(tmp_path):
    group(tmp_path / "all", cgroup_controllers="cpu memory pids io", cgroup_subtree_control="cpu memory pids")
    found = groups(tmp_path, own="0::/\n", mounts=[("all", "cgroup2", "nsdelegate")])
    assert {name: base.unified for name, base in found.bases.items()} == dict.fromkeys(
        ("memory", "cpu", "pids", "kill"), True
    )


def test_version_1_is_used_for_what_version_2_lacks(tmp_path):
    group(tmp_path / "unified", cgroup_controllers="hugetlb", cgroup_subtree_control="")
    group(tmp_path / "cpu")
    group(tmp_path / "pids")
    mounts = [("unified", "cgroup2", "x"), ("cpu", "cgroup", "cpu,cpuacct"), ("pids", "cgroup", "pids")]
    found = groups(tmp_path, own="0::/\n4:pids:/\n1:cpu,cpuacct:/\n", mounts=mounts)
    assert {name: base.unified for name, base in found.bases.items()} == {
        "cpu": False,
        "pids": False,
        "kill": True,
    }
    assert found.missing == {"memory": "cgroups of version 2 have no memory controller here"}


@pytest.mark.parametrize("own", ["/made/by/others", "/made"])
def test_a_group_that_somebody_else_made_is_left_alone(tmp_path, own):
    group(tmp_path / "memory")
    group(tmp_path / "memory/made")
    group(tmp_path / "memory/made/by")
    group(tmp_path / "memory/made/by/others")
    found = groups(tmp_path, own=f"3:memory:{own}\n", mounts=[("memory", "cgroup", "memory")])
    if os.getuid() != 0:
        pytest.skip("NOT TRIED: the folders of this test belong to whoever runs it, as delegated ones do")
    assert found.bases == {}
    assert f"memory{own} belongs to whoever started this program" in found.missing["memory"]


def test_no_cgroups_at_all(tmp_path):
    found = groups(tmp_path, own="", mounts=[])
    assert found.bases == {}
    assert "no cgroups of version 2 are mounted" in found.missing["kill"]
    assert found.make(LIMITS) == []


def test_what_is_written_in_each_version():
    first, second = ({}, {})
    for name, (old, new) in _settings(LIMITS).items():
        first[name], second[name] = old, new
    assert first["cpu"] == [("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "150000")]
    assert second["cpu"] == [("cpu.max", "150000 100000")]
    assert first["pids"] == second["pids"] == [("pids.max", "21")]
    assert ("memory.limit_in_bytes", "1000000000") in first["memory"]
    assert second["memory"] == [
        ("memory.max", "1000000000"),
        ("?memory.swap.max", "0"),
        ("?memory.oom.group", "1"),
    ]
    assert _settings(Limits(max_cpu_percent=0.1))["cpu"][1] == [("cpu.max", "1000 100000")]
    assert _settings(Limits()) == {}


def test_who_was_killed_for_its_memory(tmp_path):
    group(tmp_path / "a", memory_events="low 0\noom 1\noom_kill 2\n")
    group(tmp_path / "b", memory_events="oom_kill 0\n")
    assert was_out_of_memory([tmp_path / "b", tmp_path / "a"])
    assert not was_out_of_memory([tmp_path / "b", tmp_path / "none"])


def real():
    found = Groups()
    if not found.bases:
        pytest.skip(f"NOT TRIED: no cgroup can be made here: {dict(found.missing)}")
    return found


def test_a_real_group_is_made_bounded_and_removed_with_who_is_in_it():
    found = real()
    made = found.make(Limits(max_pids=7))
    sleeper = subprocess.Popen(["/bin/sleep", "300"])
    try:
        for one in made:
            (one / "cgroup.procs").write_text(str(sleeper.pid))
        if "pids" in found.bases:
            assert [(one / "pids.max").read_text() for one in made if (one / "pids.max").exists()] == ["8\n"]
        found.remove(made)
        assert sleeper.wait(10) == -9
        assert not any(one.exists() for one in made)
    finally:
        sleeper.kill()
        sleeper.wait()
        found.remove(made)


def test_what_a_killed_program_left_is_swept_and_what_others_use_is_not():
    found = real()
    base = next(iter(found.bases.values())).path
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    space = Path("/proc/self/ns/pid").stat().st_ino
    left = base / f"opcode-{space}-{gone.pid}-1-1"
    elsewhere = base / f"opcode-{space + 1}-{gone.pid}-1-1"
    used = found.make(Limits())
    sleeper = subprocess.Popen(["/bin/sleep", "300"])
    try:
        left.mkdir()
        elsewhere.mkdir()
        (left / "cgroup.procs").write_text(str(sleeper.pid))
        assert found.sweep() >= 1
        assert sleeper.wait(10) == -9
        assert not left.exists()
        assert elsewhere.exists()
        assert all(one.exists() for one in used)
    finally:
        sleeper.kill()
        sleeper.wait()
        found.remove([left, elsewhere, *used])
