"""Guarded processes: what they can reach, how they end, and that nothing of them is left over."""

import asyncio
import gc
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from opcode_core import ErrorCode, Guarded, OpcodeError
from opcode_core import guarded_child as child

ROOT = Path(__file__).resolve().parents[2]
ENTRY = """
import os, sys, time, resource, signal, socket  # all that is needed is loaded before the doors close
HELD = []
def run(code):
    return eval(code)
def hold(size):
    HELD.append(bytearray(size))
    return os.getpid()
"""


@pytest.fixture(autouse=True)
def others() -> None:
    _others.clear()
    _others.update(all_children())


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "guarded_entry.py").write_text(ENTRY)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.fixture
def guarded(path: Path) -> Iterator[Guarded]:
    before = open_files(), own_children()
    guarded = Guarded("guarded_entry:run", name="probe", seconds=5)
    yield guarded
    guarded.close()
    assert (open_files(), own_children()) == before, "it left files or processes behind"


_others: set[str] = set()
"""Children that were there before a test, of other tests of this process."""


def own_children() -> set[str]:
    return all_children() - _others


def all_children() -> set[str]:
    children = set()
    for task in Path("/proc/self/task").iterdir():
        try:
            children |= set((task / "children").read_text().split())
        except OSError:  # a thread that ended meanwhile
            continue
    return children


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(condition, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


async def fails(guarded: Guarded, code: str) -> OpcodeError:
    with pytest.raises(OpcodeError) as caught:
        await guarded.call(code)
    assert "Traceback" not in caught.value.message
    assert caught.value.message.startswith("probe: ") or caught.value.code is ErrorCode.VALIDATION_ERROR
    return caught.value


# Calls.


async def test_json_goes_in_and_comes_out(guarded):
    assert await guarded.call("[1, 2.5, None, True, 'é\\ud800\\x00', {'a': {}}]") == [
        *[1, 2.5, None, True, "é\ud800\x00"],
        {"a": {}},
    ]
    big = await guarded.call("'x' * 3_000_000")
    assert len(big) == 3_000_000
    assert await guarded.call(f"len('{big}')") == 3_000_000, "a request larger than any buffer"


async def test_a_process_is_kept_warm(guarded):
    assert len({await guarded.call("os.getpid()") for _ in range(20)}) == 1


async def test_as_many_calls_at_once_as_there_are_workers(guarded):
    async def call() -> tuple[int, float, float]:
        return tuple(await guarded.call("(os.getpid(), time.time(), time.sleep(0.05), time.time())[::1]"))

    calls = await asyncio.gather(*(call() for _ in range(6)))
    assert len({pid for pid, *_ in calls}) == 2
    moments = sorted([(begin, 1) for _, begin, _, _ in calls] + [(end, -1) for *_, end in calls])
    running = most = 0
    for _, change in moments:
        running += change
        most = max(most, running)
    assert most == 2


async def test_errors_of_the_function(guarded):
    assert (await fails(guarded, "1 +")).code is ErrorCode.VALIDATION_ERROR
    error = await fails(guarded, "int('x')")
    assert (error.code, error.details) == (ErrorCode.EXECUTION_ERROR, {"engine": "probe"})
    assert error.message == "probe: invalid literal for int() with base 10: 'x'"
    assert (await fails(guarded, "1 / 0")).message == "probe: ZeroDivisionError: division by zero"
    assert "SystemExit" in (await fails(guarded, "sys.exit(3)")).message
    assert "set" in (await fails(guarded, "{1}")).message
    assert "JSON" in (await fails(guarded, "1e999")).message
    assert "nested too deeply" in (await fails(guarded, "(lambda f: f(f))(lambda f: f(f))")).message
    assert len((await fails(guarded, "int('x' * 100000)")).message) < 3000
    assert len({await guarded.call("os.getpid()") for _ in range(3)}) == 1


async def test_what_goes_in_and_comes_out_is_bounded(path):
    guarded = Guarded("guarded_entry:run", name="probe", request=1000, output=1000)
    error = await fails(guarded, "1" * 1000)
    assert "at most" in error.message
    assert await guarded.call("'x' * 998") == "x" * 998
    assert "select less" in (await fails(guarded, "'x' * 999")).message
    with pytest.raises(OpcodeError, match="not JSON"):
        await guarded.call({1, 2})
    guarded.close()


async def test_a_round_trip_starts_nothing(guarded):
    pid = await guarded.call("os.getpid()")
    assert {await guarded.call("os.getpid()") for _ in range(300)} == {pid}


# What is within reach.


@pytest.mark.parametrize(
    "code",
    [
        "open('/etc/passwd')",
        "open('/etc/hostname', 'rb')",
        "open('/proc/self/environ')",
        "open('guarded.txt', 'w')",
        "open('/tmp/guarded.txt', 'a')",
        "os.open('/', os.O_RDONLY)",
        "os.listdir('/')",
        "os.pipe()",
        "os.dup(0)",
        "socket.socket()",
        "socket.create_connection(('127.0.0.1', 1))",
        "__import__('wave')",
        "__import__('_bz2')",
        "os.memfd_create('x')",
        "os.setuid(0) or resource.setrlimit(resource.RLIMIT_NOFILE, (10**9, 10**9)) or 1 / 0",
    ],
)
async def test_nothing_can_be_opened_any_more(guarded, code):
    error = await fails(guarded, code)
    assert re.search("Too many open files|OSError|not allowed", error.message)
    assert await guarded.call("sorted(os.environ)") == []


async def test_no_environment_no_files_no_terminal_no_way_to_more_rights(guarded, monkeypatch):
    monkeypatch.setenv("OPCODE_VAULT_KEY", "do not show")
    assert await guarded.call("dict(os.environ)") == {}
    assert await guarded.call("os.getcwd()") == "/"
    assert await guarded.call("os.getpid() == os.getpgid(0)") is True, "nobody's Ctrl-C reaches it"
    assert await guarded.call("[os.isatty(number) for number in range(3)]") == [False] * 3
    assert (
        await guarded.call("os.getpriority(os.PRIO_PROCESS, 0)")
        == os.getpriority(os.PRIO_PROCESS, 0) + child.GIVES_WAY
    )
    pid = await guarded.call("os.getpid()")
    files = {name: os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")}
    assert files.pop("0").startswith("socket:")
    assert files == {"1": "/dev/null", "2": "/dev/null", "3": f"/proc/{pid}/statm"}
    assert "NoNewPrivs:\t1" in Path(f"/proc/{pid}/status").read_text()
    assert b"do not show" not in Path(f"/proc/{pid}/environ").read_bytes()


async def test_the_limits_are_set(guarded):
    async def limit(name: str) -> list[int]:
        return await guarded.call(f"resource.getrlimit(resource.RLIMIT_{name})")

    assert await limit("NOFILE") == [0, 0]
    assert await limit("FSIZE") == [0, 0]
    assert await limit("CORE") == [0, 0]
    assert await limit("NPROC") == [0, 0]
    assert 256 * 2**20 < (await limit("AS"))[1] < 2**30
    assert 5 <= (await limit("CPU"))[0] < 20


@pytest.mark.skipif(os.geteuid() == 0, reason="RLIMIT_NPROC does not bind root")
async def test_no_process_can_be_started(guarded):
    assert "BlockingIOError" in (await fails(guarded, "os.fork()")).message


async def test_only_what_is_needed_is_imported(guarded, path):
    (path / "guarded_bare.py").write_text("import sys\ndef names(_): return sorted(sys.modules)\n")
    bare = Guarded("guarded_bare:names")
    names = set(await bare.call(None))
    bare.close()
    assert not {name for name in names if name.startswith("opcode")}
    assert not names & {"typing", "site", "asyncio", "orjson", "pydantic", "subprocess", "socket", "inspect"}


async def test_prints_do_not_disturb_the_answers(guarded):
    assert await guarded.call("[print('x' * 9999), sys.stderr.write('y'), 5][2]") == 5


# Runaways and crashes.


@pytest.mark.parametrize(
    "code", ["[0 for _ in iter(int, 1)]", "time.sleep(99)", "10 ** 10 ** 9", "sum(range(10 ** 12))"]
)
async def test_a_runaway_is_ended_and_replaced_while_others_go_on(path, code):
    guarded = Guarded("guarded_entry:run", name="probe", seconds=0.5)
    await guarded.call("1")
    begin = time.monotonic()
    runaway = asyncio.create_task(fails(guarded, code))
    await asyncio.sleep(0)
    calls = 0
    while not runaway.done():
        assert await guarded.call("1 + 1") == 2
        calls += 1
        await asyncio.sleep(0)
    error = runaway.result()
    assert error.code is ErrorCode.TIMEOUT_ERROR
    assert error.message == (
        "probe: it was not done after 0.5 s and was ended; let the expression do less, or give it less data"
    )
    assert 0.5 <= time.monotonic() - begin < 3
    assert calls > 20
    assert await guarded.call("1 + 1") == 2
    guarded.close()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("bytearray(10 ** 9)", "more than 256 MiB of memory"),
        ("[0] * 10 ** 9", "more than 256 MiB of memory"),
        ("['x' * 2 ** 20 + str(i) for i in range(10 ** 6)]", "more than 256 MiB of memory"),
        ("os.abort()", "more than 256 MiB of memory"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "nested far too deeply"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "SIGTERM"),
        ("os._exit(3)", "exit code 3"),
        ("os.close(0)", "exit code 0"),
        ("os.write(0, b'\\xff' * 100)", "before it answered"),
    ],
)
async def test_a_crash_is_an_error_of_that_call_only(guarded, code, words):
    other = await guarded.call("os.getpid()")
    error = await fails(guarded, code)
    assert error.code is ErrorCode.EXECUTION_ERROR
    assert words in error.message
    assert await guarded.call("os.getpid()") != other
    assert len(own_children()) <= 2


async def test_a_process_that_was_killed_while_it_waited_disturbs_nobody(guarded):
    pid = await guarded.call("os.getpid()")
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: not alive(pid))
    assert await guarded.call("os.getpid()") != pid
    assert not Path(f"/proc/{pid}").exists(), "it was waited for"


async def test_being_cancelled_ends_the_call_and_its_process(guarded):
    pid = await guarded.call("os.getpid()")
    task = asyncio.create_task(guarded.call("time.sleep(99)"))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert until(lambda: not Path(f"/proc/{pid}").exists())
    assert await guarded.call("1") == 1
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await guarded.call("time.sleep(99)")
    waiting = [asyncio.create_task(guarded.call("time.sleep(0.2)")) for _ in range(3)]
    await asyncio.sleep(0.05)
    waiting[2].cancel()  # it has no process yet
    assert await asyncio.gather(*waiting[:2]) == [None, None]
    assert await guarded.call("1") == 1


async def test_an_entry_that_is_not_there(path):
    for entry in ("guarded_none:run", "guarded_entry:none"):
        guarded = Guarded(entry, name="probe")
        error = await fails(guarded, "1")
        assert error.code is ErrorCode.EXECUTION_ERROR
        assert "cannot start" in error.message
        assert "none" in error.message
        guarded.close()


async def test_no_interpreter(guarded, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", "/nowhere/python")
        assert "cannot start" in (await fails(guarded, "1")).message
    assert await guarded.call("1") == 1


async def test_a_loop_that_is_kept_busy_takes_no_time_from_a_call(path):
    guarded = Guarded("guarded_entry:run", name="probe", seconds=0.3)
    for code, answer in (("1 + 1", 2), ("'x' * 3_000_000", "x" * 3_000_000)):
        await guarded.call("1")
        task = asyncio.create_task(guarded.call(code))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        time.sleep(0.6)  # something else that blocks
        assert await task == answer
    task = asyncio.create_task(fails(guarded, "time.sleep(99)"))
    await asyncio.sleep(0.05)
    time.sleep(0.6)
    assert (await task).code is ErrorCode.TIMEOUT_ERROR
    guarded.close()


# Replacement.


async def test_a_process_is_replaced_after_so_many_calls(path):
    guarded = Guarded("guarded_entry:run", calls=5)
    pids = [await guarded.call("os.getpid()") for _ in range(12)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [5, 5, 2]
    guarded.close()


async def test_a_process_that_grew_is_replaced(path):
    guarded = Guarded("guarded_entry:hold", memory=64 * 2**20)
    pids = [await guarded.call(10 * 2**20) for _ in range(8)]
    assert 2 <= len(set(pids)) <= 4
    guarded.close()


# Blocking.


async def test_asking_blocks_and_waits_for_nobody(guarded):
    busy = [asyncio.create_task(guarded.call("(time.sleep(0.5), 7)[1]")) for _ in range(2)]
    await asyncio.sleep(0.2)
    begin = time.monotonic()
    assert guarded.ask("1 + 1", 2) == 2
    assert time.monotonic() - begin < 0.4
    with pytest.raises(OpcodeError) as caught:
        guarded.ask("time.sleep(9)", 0.1)
    assert caught.value.code is ErrorCode.TIMEOUT_ERROR
    with pytest.raises(OpcodeError) as caught:
        guarded.ask("1 +", 2)
    assert caught.value.code is ErrorCode.VALIDATION_ERROR
    with pytest.raises(OpcodeError, match="exit code 4"):
        guarded.ask("os._exit(4)", 2)
    assert len(guarded.ask("'x' * 3_000_000", 5)) == 3_000_000
    assert await asyncio.gather(*busy) == [7, 7]
    assert until(lambda: len(own_children()) <= 2)


def test_asking_without_any_loop(guarded):
    assert guarded.ask("1 + 1", 5) == 2


# Lives.


def test_several_loops_one_after_another(guarded):
    pids, loops = set(), []

    async def work() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        pids.update(await asyncio.gather(*(guarded.call("os.getpid()") for _ in range(8))))

    for _ in range(4):
        asyncio.run(work())
    assert len(pids) <= 2, "the processes outlive the loops"
    gc.collect()
    assert [loop() for loop in loops] == [None] * 4, "a loop that has ended is not held"


def test_a_loop_that_ends_in_the_middle_of_a_call(guarded):
    async def abandon() -> None:
        asyncio.get_running_loop().create_task(guarded.call("time.sleep(99)")).add_done_callback(
            lambda _: None
        )
        await asyncio.sleep(0.1)

    asyncio.run(abandon())
    assert until(lambda: not own_children())

    async def go_on() -> int:
        return await guarded.call("1")

    assert asyncio.run(go_on()) == 1


def test_several_threads_with_a_loop_each(guarded):
    results: list[int] = []

    async def work(number: int) -> None:
        for _ in range(50 * number + 1):
            results.append(await guarded.call(f"{number}"))

    # Those that end first have started processes that the others go on using.
    threads = [threading.Thread(target=lambda n=n: asyncio.run(work(n))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results) == sorted([n for n in range(4) for _ in range(50 * n + 1)])


async def test_closing_ends_calls_and_a_later_call_starts_anew(guarded):
    pid = await guarded.call("os.getpid()")
    task = asyncio.create_task(fails(guarded, "time.sleep(99)"))
    await asyncio.sleep(0.05)
    guarded.close()
    assert not own_children()
    assert "before it answered" in (await task).message
    assert await guarded.call("os.getpid()") != pid


async def test_nothing_is_left_when_it_is_forgotten(path):
    files = open_files()
    guarded = Guarded("guarded_entry:run")
    await guarded.call("1")
    assert len(own_children()) == 1
    del guarded
    gc.collect()
    assert not own_children()
    assert open_files() == files


def parent(path: Path, script: str) -> "subprocess.Popen[str]":
    """A program that uses a guarded process and prints its id."""
    prelude = f"""
        import asyncio, os, signal, sys
        sys.path.insert(0, {str(path)!r})
        from opcode_core import Guarded
        guarded = Guarded("guarded_entry:run", seconds=0.5)
        async def one():
            return await guarded.call("os.getpid()")
        print(asyncio.run(one()), flush=True)
    """
    source = textwrap.dedent(prelude) + textwrap.dedent(script)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", source],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_ends_with_the_interpreter(path):
    with parent(path, "") as program:
        out, err = program.communicate(timeout=20)
    assert (program.returncode, err) == (0, "")
    assert until(lambda: not alive(int(out)))


@pytest.mark.parametrize("what", ["idle", "running away"])
def test_it_ends_when_its_parent_is_killed(path, what):
    script = """
        import threading
        async def away():
            guarded.seconds = 99
            await guarded.call("sum(range(10 ** 14))")
        threading.Thread(target=lambda: asyncio.run(away()), daemon=True).start()
    """
    wait = "\nimport time; time.sleep(60)"
    with parent(path, (textwrap.dedent(script) if what == "running away" else "") + wait) as program:
        pid = int(program.stdout.readline())
        assert alive(pid)
        time.sleep(0.2)
        program.kill()
        assert until(lambda: not alive(pid), 2)


def test_its_own_cpu_limit_ends_it_when_the_parent_cannot(path):
    script = """
        async def away():
            asyncio.get_running_loop().call_later(0.1, lambda: os.kill(os.getpid(), signal.SIGSTOP))
            await guarded.call("sum(range(10 ** 14))")
        try:
            asyncio.run(away())
        except Exception as error:
            print(error)
    """
    with parent(path, script) as program:
        pid = int(program.stdout.readline())
        try:
            assert until(lambda: not alive(pid), 20)
        finally:
            program.send_signal(signal.SIGCONT)
        out, err = program.communicate(timeout=20)
    assert "TIMEOUT_ERROR" in out, err


def test_a_fork_of_the_parent_gets_its_own(path):
    script = """
        forked = os.fork()
        mine = asyncio.run(one())
        if forked:
            assert os.waitpid(forked, 0)[1] == 0
            assert asyncio.run(one()) == mine
        print(mine)
    """
    with parent(path, script) as program:
        out, err = program.communicate(timeout=20)
    assert (program.returncode, err) == (0, "")
    first, *others = out.split()
    assert len(set(others)) == 2
    assert first in others


# The documents.


def test_the_sample_of_the_documents(path):
    section = (ROOT / "docs/plugins/README.md").read_text("utf-8").partition("## What others wrote")[2]
    module, use = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[:2]
    (path / "shout.py").write_text(module)
    names: dict = {}
    exec(
        compile("async def use():\n" + textwrap.indent(use, "    "), "docs/plugins/README.md", "exec"), names
    )
    asyncio.run(names["use"]())
    assert not own_children()
