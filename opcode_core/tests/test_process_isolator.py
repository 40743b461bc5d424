import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from opcode_core import Command, ErrorCode, Limits, OpcodeError, process_isolator
from opcode_core.process_isolator import ProcessIsolator

ENV = {"PATH": os.environ["PATH"]}


def sh(script: str, **more) -> Command:
    return Command(argv=["/bin/sh", "-c", script], env=ENV, **more)


def py(script: str, **more) -> Command:
    return Command(argv=[sys.executable, "-I", "-S", "-c", script], env=ENV, **more)


async def run(command: Command, **limits):
    return await ProcessIsolator().run(command, Limits(**limits))


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def gone(pid: int) -> bool:
    for _ in range(200):
        if not alive(pid):
            return True
        await asyncio.sleep(0.01)
    return False


async def written(path: Path) -> int:
    """The pid that a command writes to `path`."""
    for _ in range(500):
        if path.exists() and path.read_text().endswith("\n"):
            return int(path.read_text())
        await asyncio.sleep(0.01)
    raise AssertionError(f"{path} was never written")


def own_children() -> set[str]:
    children = set()
    for task in Path("/proc/self/task").iterdir():
        children |= set((task / "children").read_text().split())
    return children


async def test_output_and_exit_code():
    done = await run(sh("echo out; echo err >&2; exit 3"))
    assert (done.exit_code, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    assert (done.killed, done.truncated) == (False, False)
    assert 0 < done.duration < 5


async def test_only_the_given_environment_is_seen():
    done = await run(Command(argv=["/usr/bin/env"], env={"ONLY": "this"}))
    assert done.stdout == b"ONLY=this\n"


async def test_working_directory(tmp_path):
    done = await run(sh("pwd -P", cwd=tmp_path))
    assert done.stdout.decode().strip() == str(tmp_path.resolve())


async def test_stdin_larger_than_a_pipe_comes_back_whole():
    text = os.urandom(512) * 4096
    done = await run(Command(argv=["cat"], env=ENV, stdin=text))
    assert done.stdout == text


async def test_without_stdin_the_command_sees_the_end_at_once():
    done = await run(Command(argv=["cat"], env=ENV))
    assert (done.exit_code, done.stdout) == (0, b"")


async def test_a_command_that_does_not_read_its_stdin_is_not_waited_for():
    done = await run(sh("exit 0", stdin=b"x" * 1_000_000))
    assert done.exit_code == 0
    assert done.duration < 0.9


async def test_a_signal_is_a_negative_exit_code():
    done = await run(sh("kill -TERM $$"))
    assert (done.exit_code, done.killed) == (-signal.SIGTERM, False)


async def test_output_beyond_the_bound_is_discarded_and_the_command_still_ends():
    script = (
        "import sys; [sys.stdout.buffer.write(b'x' * 65536) for _ in range(320)]; sys.stderr.write('end')"
    )
    done = await run(py(script, max_output_bytes=1000))
    assert done.stdout == b"x" * 1000
    assert done.stderr == b"end"
    assert (done.exit_code, done.truncated) == (0, True)


async def test_output_of_exactly_the_bound_is_not_truncated():
    done = await run(sh("printf 12345", max_output_bytes=5))
    assert (done.stdout, done.truncated) == (b"12345", False)


async def test_timeout_kills_and_keeps_what_was_written():
    done = await run(sh("echo before; sleep 30; echo after"), timeout=0.2)
    assert done.killed
    assert done.exit_code == -signal.SIGKILL
    assert done.stdout == b"before\n"
    assert done.duration < 2


async def test_timeout_kills_children_and_those_that_left_the_group(tmp_path):
    script = f"""
        sh -c 'echo $$ > {tmp_path}/child; exec sleep 30' &
        setsid sh -c 'echo $$ > {tmp_path}/left; exec sleep 30' &
        wait"""
    done = await run(sh(script), timeout=0.5)
    assert done.killed
    assert done.duration < 2
    assert await gone(await written(tmp_path / "child"))
    assert await gone(await written(tmp_path / "left"))


async def test_a_process_that_ignores_signals_is_killed():
    done = await run(sh("trap '' TERM INT HUP; sleep 30 & wait; wait"), timeout=0.2)
    assert done.killed
    assert done.duration < 2


async def test_what_a_command_leaves_running_is_killed(tmp_path):
    done = await run(sh(f"sh -c 'echo $$ > {tmp_path}/pid; exec sleep 30' > /dev/null 2>&1 & echo done"))
    assert done.stdout == b"done\n"
    assert not done.killed
    pid = tmp_path / "pid"
    assert not pid.exists() or not pid.read_text() or await gone(int(pid.read_text()))


async def test_a_child_that_holds_stdout_open_is_waited_for_only_briefly():
    done = await run(sh("sleep 30 & echo done"))
    assert (done.stdout, done.exit_code, done.killed) == (b"done\n", 0, False)
    assert done.duration < 3


async def test_a_daemon_that_got_away_with_stdout_does_not_hang_the_caller(tmp_path):
    # The intermediate parent is gone before the kill, so nothing ties the daemon to the command.
    script = f"(setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 30' &) ; sleep 30"
    done = await run(sh(script), timeout=0.5)
    daemon = await written(tmp_path / "pid")
    try:
        assert done.killed
        assert done.duration < 4
        assert alive(daemon)
    finally:
        os.kill(daemon, signal.SIGKILL)


async def test_being_cancelled_kills_the_tree(tmp_path):
    task = asyncio.create_task(run(sh(f"sh -c 'echo $$ > {tmp_path}/pid; exec sleep 30' & wait")))
    pid = await written(tmp_path / "pid")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await gone(pid)


@pytest.mark.parametrize("turns", range(6))
async def test_being_cancelled_while_starting_leaves_nothing(turns):
    before, descriptors = own_children(), len(os.listdir("/proc/self/fd"))
    task = asyncio.create_task(run(sh("sleep 30", stdin=b"x")))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(3):
        await asyncio.sleep(0)
    assert own_children() == before
    assert len(os.listdir("/proc/self/fd")) == descriptors


async def test_neither_zombies_nor_descriptors_are_left():
    before, descriptors = own_children(), len(os.listdir("/proc/self/fd"))
    await asyncio.gather(*(run(sh("echo x; exit 1", stdin=b"y")) for _ in range(10)))
    await run(sh("sleep 30"), timeout=0.1)
    await asyncio.sleep(0)
    assert own_children() == before
    assert len(os.listdir("/proc/self/fd")) == descriptors


async def test_commands_run_side_by_side():
    started = time.monotonic()
    await asyncio.gather(*(run(sh("sleep 0.4")) for _ in range(5)))
    assert time.monotonic() - started < 1.5


async def test_memory_limit_makes_allocations_fail():
    script = "input(); data = bytearray(512 * 1024 * 1024); print(len(data))"
    limited = await run(py(script, stdin=b"\n"), max_memory_bytes=256 * 1024 * 1024)
    assert limited.exit_code == 1
    assert b"MemoryError" in limited.stderr
    free = await run(py(script, stdin=b"\n"))
    assert free.stdout == b"536870912\n"


async def test_one_that_took_more_before_its_limit_came_is_killed(monkeypatch, tmp_path):
    late, lower = tmp_path / "took", process_isolator._lower

    def lower_late(*arguments):
        end = time.monotonic() + 20
        while not late.exists() and time.monotonic() < end:
            time.sleep(0.001)
        lower(*arguments)

    monkeypatch.setattr(process_isolator, "_lower", lower_late)
    script = (
        f"data = bytearray(512 * 1024 * 1024); open({str(late)!r}, 'w').close(); input(); print('went on')"
    )
    done = await run(py(script, stdin=b"\n"), max_memory_bytes=256 * 1024 * 1024)
    assert (done.exit_code, done.stdout) == (-signal.SIGKILL, b"")


async def test_children_inherit_the_rlimits():
    script = "read go; sh -c 'ulimit -v; ulimit -c; ulimit -t'"
    done = await run(sh(script, stdin=b"\n"), max_memory_bytes=1024 * 1024 * 1024, timeout=9)
    memory, core, cpu = done.stdout.split()
    assert (memory, core) == (b"1048576", b"0")
    assert int(cpu) == 10 * os.cpu_count()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_pids", 5),
        ("max_cpu_percent", 50.0),
        ("allow_network", False),
        ("read_only_paths", (Path("/usr"),)),
        ("writable_paths", (Path("/tmp"),)),
        ("deny_paths", (Path("/etc"),)),
    ],
)
async def test_a_limit_that_cannot_be_kept_is_an_error_and_nothing_runs(name, value, tmp_path):
    with pytest.raises(OpcodeError) as caught:
        await run(sh(f"touch {tmp_path}/ran"), **{name: value})
    assert caught.value.code == ErrorCode.ISOLATION_ERROR
    assert f"cannot enforce {name}:" in caught.value.message
    assert "isolator plugin" in caught.value.message
    assert not (tmp_path / "ran").exists()


def script(path: Path, text: str, mode: int = 0o755) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (lambda tmp: ["no-such-command-xyz"], "no such command on the PATH"),
        (lambda tmp: [str(tmp / "nothing")], "No such file or directory"),
        (lambda tmp: [script(tmp / "a", "#!/bin/sh\n", 0o644)], "Permission denied"),
        (
            lambda tmp: [script(tmp / "b", "#!/no/such/interpreter\n")],
            "interpreter that its first line names",
        ),
        (lambda tmp: [script(tmp / "c", "no program\n")], "Exec format error"),
        (lambda tmp: ["echo", "x" * 3_000_000], "Argument list too long"),
        (lambda tmp: ["echo", "a\0b"], "embedded null byte"),
        (lambda tmp: [], "the command line is empty"),
    ],
)
async def test_a_command_that_cannot_start_says_why(argv, reason, tmp_path):
    line = argv(tmp_path)
    with pytest.raises(OpcodeError) as caught:
        await run(Command(argv=line, env=ENV))
    assert caught.value.code == ErrorCode.EXECUTION_ERROR
    assert caught.value.message.startswith(f"cannot start {(line or [''])[0]!r}: ")
    assert reason in caught.value.message


async def test_a_missing_working_directory_is_named(tmp_path):
    with pytest.raises(OpcodeError) as caught:
        await run(sh("true", cwd=tmp_path / "none"))
    assert f"its working directory {tmp_path}/none: No such file" in caught.value.message


async def test_works_where_there_is_no_pidfd(monkeypatch):
    monkeypatch.delattr(os, "pidfd_open")
    assert (await run(sh("exit 4"))).exit_code == 4
    assert (await run(sh("sleep 30"), timeout=0.1)).killed


def test_probe():
    probe = ProcessIsolator().probe()
    assert (probe.works, probe.strength) == (True, 1)
    assert "missing" in probe.layers["cpu, pids, network, paths"]
