"""What every isolator does with a command, whatever it keeps it from."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from opcode_cgroups.isolator import CgroupIsolator
from opcode_core import Command, ErrorCode, Limits, OpcodeError, ProcessIsolator
from opcode_landlock.isolator import LandlockIsolator

ENV = {"PATH": os.environ["PATH"]}
KINDS = {"process": ProcessIsolator, "landlock": LandlockIsolator, "cgroups": CgroupIsolator}
_MADE = {}


@pytest.fixture(params=KINDS)
def isolator(request):
    found = _MADE.setdefault(request.param, KINDS[request.param]())
    if not found.probe().works:
        pytest.skip(f"NOT TRIED: {request.param} does not work here: {dict(found.probe().layers)}")
    return found


@pytest.fixture(params=["landlock", "cgroups"])
def launched(request):
    found = _MADE.setdefault(request.param, KINDS[request.param]())
    if not found.probe().works:
        pytest.skip(f"NOT TRIED: {request.param} does not work here: {dict(found.probe().layers)}")
    return found


def sh(script, **more):
    return Command(argv=["/bin/sh", "-c", script], env=ENV, **more)


async def test_output_exit_code_and_environment(isolator):
    done = await isolator.run(sh("echo out; echo err >&2; exit 3"), Limits())
    assert (done.exit_code, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    assert (done.killed, done.truncated) == (False, False)
    assert (
        await isolator.run(Command(["/usr/bin/env"], {"ONLY": "this"}), Limits())
    ).stdout == b"ONLY=this\n"


async def test_bytes_that_are_not_text_pass_as_arguments(isolator):
    argument = os.fsdecode(b"\xff\xfe")
    done = await isolator.run(Command(["/usr/bin/printf", "%s", argument], ENV), Limits())
    assert done.stdout == b"\xff\xfe"


async def test_stdin_larger_than_a_pipe_comes_back_whole(isolator):
    text = os.urandom(512) * 4096
    assert (await isolator.run(Command(["cat"], ENV, stdin=text), Limits())).stdout == text


async def test_a_large_environment_arrives(isolator):
    env = {**ENV, **{f"V{i}": "x" * 10_000 for i in range(100)}}
    done = await isolator.run(Command(["/bin/sh", "-c", "echo $V99 | wc -c"], env), Limits())
    assert done.stdout.strip() == b"10001"


async def test_without_stdin_the_command_sees_the_end_at_once(isolator):
    done = await isolator.run(Command(["cat"], ENV), Limits(timeout=10))
    assert (done.exit_code, done.stdout, done.killed) == (0, b"", False)


async def test_output_beyond_the_bound_is_discarded(isolator):
    done = await isolator.run(sh("head -c 9000000 /dev/zero; echo end >&2", max_output_bytes=1000), Limits())
    assert (len(done.stdout), done.stderr, done.truncated) == (1000, b"end\n", True)


async def test_a_signal_is_a_negative_exit_code(isolator):
    done = await isolator.run(sh("kill -TERM $$"), Limits())
    assert (done.exit_code, done.killed) == (-signal.SIGTERM, False)


async def test_timeout_kills_and_keeps_what_was_written(isolator):
    done = await isolator.run(sh("echo before; sleep 30"), Limits(timeout=0.7))
    assert (done.exit_code, done.stdout, done.killed) == (-signal.SIGKILL, b"before\n", True)
    assert done.duration < 10


async def test_a_child_that_holds_stdout_open_is_waited_for_only_briefly(isolator):
    done = await isolator.run(sh("sleep 30 & echo done"), Limits())
    assert (done.stdout, done.exit_code, done.killed) == (b"done\n", 0, False)
    assert done.duration < 10


async def test_what_still_writes_at_the_end_is_heard(isolator):
    done = await isolator.run(sh("(sleep 0.2; echo late) & echo done"), Limits())
    assert done.stdout == b"done\nlate\n"


async def test_the_working_directory(isolator, tmp_path):
    assert (await isolator.run(sh("pwd -P", cwd=tmp_path), Limits())).stdout.strip() == os.fsencode(tmp_path)
    with pytest.raises(OpcodeError) as caught:
        await isolator.run(sh("true", cwd=tmp_path / "none"), Limits())
    assert caught.value.code == ErrorCode.EXECUTION_ERROR
    assert f"its working directory {tmp_path}/none: No such file" in caught.value.message


def script(path, text, mode=0o755):
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (lambda tmp: ["no-such-command-xyz"], "no such command on the PATH"),
        (lambda tmp: [str(tmp / "nothing")], "No such file or directory"),
        (lambda tmp: [script(tmp / "a", "#!/bin/sh\n", 0o644)], "Permission denied"),
        (lambda tmp: [script(tmp / "b", "#!/no/such/one\n")], "interpreter that its first line names"),
        (lambda tmp: [script(tmp / "c", "no program\n")], "Exec format error"),
        (lambda tmp: ["echo", "x" * 3_000_000], "Argument list too long"),
        (lambda tmp: ["echo", "a\0b"], "embedded null byte"),
        (lambda tmp: [], "the command line is empty"),
    ],
)
async def test_a_command_that_cannot_start_says_why(isolator, argv, reason, tmp_path):
    line = argv(tmp_path)
    with pytest.raises(OpcodeError) as caught:
        await isolator.run(Command(argv=line, env=ENV), Limits())
    assert caught.value.code == ErrorCode.EXECUTION_ERROR
    assert caught.value.message.startswith(f"cannot start {(line or [''])[0]!r}: ")
    assert reason in caught.value.message


async def test_commands_run_side_by_side(isolator):
    await isolator.run(sh("true"), Limits())
    started = time.monotonic()
    await asyncio.gather(*(isolator.run(sh("sleep 1"), Limits()) for _ in range(8)))
    assert time.monotonic() - started < 6


@pytest.mark.parametrize("turns", range(8))
async def test_being_cancelled_at_any_moment_leaves_nothing(isolator, turns, tmp_path):
    await isolator.run(sh("true"), Limits())
    descriptors = len(os.listdir("/proc/self/fd"))
    task = asyncio.create_task(isolator.run(sh("sleep 300", stdin=b"x", cwd=tmp_path), Limits()))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(3):
        await asyncio.sleep(0)
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert await gone(tmp_path)


async def test_no_descriptors_are_left(isolator):
    await isolator.run(sh("true"), Limits())
    descriptors = len(os.listdir("/proc/self/fd"))
    await asyncio.gather(*(isolator.run(sh("echo x; exit 1", stdin=b"y"), Limits()) for _ in range(10)))
    await isolator.run(sh("sleep 30"), Limits(timeout=0.1))
    await asyncio.sleep(0)
    assert len(os.listdir("/proc/self/fd")) == descriptors


async def test_a_launcher_that_was_killed_is_replaced(launched):
    await launched.run(sh("true"), Limits())
    os.kill(launched._launcher._process._process.pid, signal.SIGKILL)
    launched._launcher._process._process.wait()
    assert (await launched.run(sh("echo again"), Limits())).stdout == b"again\n"


async def test_a_command_outlives_its_launcher(launched):
    task = asyncio.create_task(launched.run(sh("read x; sleep 0.5; echo done", stdin=b"\n"), Limits()))
    while launched._launcher._process is None:
        await asyncio.sleep(0)
    await asyncio.sleep(0.2)
    launched._launcher.close()
    assert (await task).stdout == b"done\n"


async def test_a_supervisor_that_is_killed_takes_its_command_along(launched, tmp_path):
    await launched.run(sh("true"), Limits())
    launcher = launched._launcher._process._process.pid
    task = asyncio.create_task(launched.run(sh("touch began; sleep 300", cwd=tmp_path), Limits()))
    while not (tmp_path / "began").exists():
        await asyncio.sleep(0.01)
    (supervisor,) = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    os.kill(int(supervisor), signal.SIGKILL)
    with pytest.raises(OpcodeError) as caught:
        await task
    assert caught.value.code == ErrorCode.ISOLATION_ERROR
    assert await gone(tmp_path)


def test_a_program_that_ends_leaves_no_launcher(launched, tmp_path):
    kind = type(launched)
    program = (
        "import asyncio, sys\nfrom opcode_core import Command, Limits\n"
        f"from {kind.__module__} import {kind.__name__}\n"
        f"isolator = {kind.__name__}()\n"
        "asyncio.run(isolator.run(Command(['/bin/true'], {}), Limits()))\n"
        "print(isolator._launcher._process._process.pid)\n"
    )
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not Path(f"/proc/{int(done.stdout)}").exists()


async def test_terminals_devices_and_own_process_are_there(launched):
    line = "echo x > /dev/null && head -c 3 /dev/urandom | wc -c && test -r /proc/self/status && ls /dev/fd/ | head -1"
    assert (await launched.run(sh(line), Limits())).stdout.split() == [b"3", b"0"]


async def test_a_read_only_root_with_one_writable_folder(launched, tmp_path):
    limits = Limits(read_only_paths=(Path("/"),), writable_paths=(tmp_path,))
    done = await launched.run(sh("echo a > mine; echo b > ../other; ls /etc/hostname", cwd=tmp_path), limits)
    assert (tmp_path / "mine").read_text() == "a\n"
    assert not (tmp_path.parent / "other").exists()
    assert done.stdout == b"/etc/hostname\n"


async def test_the_longest_path_counts(launched, tmp_path):
    fixed, free = tmp_path / "fixed", tmp_path / "fixed" / "free"
    free.mkdir(parents=True)
    limits = Limits(writable_paths=(tmp_path, free), read_only_paths=(fixed,))
    await launched.run(sh("echo a > fixed/a; echo b > fixed/free/b", cwd=tmp_path), limits)
    assert sorted(path.name for path in fixed.rglob("*")) == ["b", "free"]


async def test_a_writable_path_that_does_not_exist_is_named(launched, tmp_path):
    with pytest.raises(OpcodeError) as caught:
        await launched.run(sh("true"), Limits(writable_paths=(tmp_path / "none",)))
    assert caught.value.code == ErrorCode.ISOLATION_ERROR
    assert f"{tmp_path}/none, which does not exist" in caught.value.message


async def gone(folder):
    for _ in range(500):
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                found += [process] if (process / "cwd").readlink() == folder else []
            except OSError:
                continue
        if not found:
            return True
        await asyncio.sleep(0.01)
    return False
