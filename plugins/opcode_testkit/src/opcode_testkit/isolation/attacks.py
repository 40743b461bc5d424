"""The attacks, by the layer that keeps them off."""
# ruff: noqa: ASYNC110, ASYNC240 - they look at the world outside while nothing else goes on

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from opcode_core import ErrorCode, OpcodeError
from opcode_testkit.isolation.arena import PROGRAMS, SECRET, Arena, Attack, Escaped, lacks
from opcode_testkit.isolation.scripts import (
    ALLOCATE,
    CONNECT,
    COUNT_CHILDREN,
    DAEMON,
    HOPPER,
    OPEN,
    SPIN,
    TRACE,
    UNIX,
)

GIB = 2**30


# Files.


async def read_outside(arena: Arena) -> None:
    """What is not among the paths cannot be read, by any way that leads there."""
    (arena.inside / "link").symlink_to(arena.secret)
    (arena.inside / "folder").symlink_to(arena.outside)
    for path in (
        arena.secret,
        "$0/link",
        "$0/folder/secret",
        "$0/../outside/secret",
        f"/proc/self/root{arena.secret}",
        f"/proc/1/root{arena.secret}",
        f"/proc/$PPID/root{arena.secret}",
        f"/proc/{os.getpid()}/root{arena.secret}",
        f"/proc/{arena.victim.pid}/cwd/../{arena.secret}",
    ):
        lacks(await arena.sh(f"cat {path}", **arena.only_inside))


async def write_outside(arena: Arena) -> None:
    """Nothing is made, changed, moved or removed where it may not be."""
    (arena.inside / "link").symlink_to(arena.outside)
    for command in (
        f"echo x > {arena.outside}/made",
        "echo x > $0/link/made",
        f"echo x >> {arena.secret}",
        f"rm -f {arena.secret}",
        f"mv {arena.secret} $0/taken",
        f"mkdir {arena.outside}/made",
        f"ln -s x {arena.outside}/made",
        f"touch $0/mine; mv $0/mine {arena.outside}/made",
    ):
        await arena.sh(command, **arena.only_inside)
        if [*arena.outside.iterdir()] != [arena.secret] or arena.secret.read_text() != SECRET:
            raise Escaped(command)


async def write_read_only(arena: Arena) -> None:
    """What may be read may not be written, nor cut short."""
    limits = {"read_only_paths": (arena.outside, *PROGRAMS), "writable_paths": (arena.inside,)}
    for command in (f"echo x >> {arena.secret}", f"rm -f {arena.secret}", f": > {arena.outside}/made"):
        await arena.sh(command, **limits)
    script = "import os, sys; os.truncate(sys.argv[1], 0)"
    await arena.python(script, arena.secret, **limits)
    if [*arena.outside.iterdir()] != [arena.secret] or arena.secret.read_text() != SECRET:
        raise Escaped("it was changed")
    if SECRET.encode() not in (await arena.sh(f"cat {arena.secret}", **limits)).stdout:
        raise Escaped("what may be read could not be")


async def read_denied(arena: Arena) -> None:
    """A denied path wins over an allowed one around it, whatever is done to what it lies in."""
    folder = arena.inside / "folder"
    folder.mkdir()
    secret = folder / "secret"
    secret.write_text(SECRET)
    (arena.inside / "link").symlink_to(secret)
    for deny in (secret, folder, arena.inside / "link"):
        for limits in ({}, {"writable_paths": (arena.inside,), "read_only_paths": PROGRAMS}):
            for command in (
                f"cat {secret} $0/link",
                "mv $0/folder $0/moved; cat $0/moved/secret; mv $0/moved $0/folder",
                f"ln {secret} $0/hard; cat $0/hard",
                "cp -r $0/folder $0/copy; cat $0/copy/secret",
                f"umount {deny}; cat {secret}",
            ):
                lacks(await arena.sh(command, deny_paths=(deny,), **limits))
    if secret.read_text() != SECRET:
        raise Escaped("it was changed")


async def make_denied(arena: Arena) -> None:
    """A denied path that does not exist yet cannot be made."""
    denied = arena.inside / "later"
    for command in (
        "echo x > $0/later",
        "mkdir -p $0/later/deep",
        "touch $0/y; mv $0/y $0/later",
        "ln -s / $0/later",
    ):
        await arena.sh(command, deny_paths=(denied,))
        await arena.sh(command, deny_paths=(denied / "deep",))
        if os.path.lexists(denied / "deep") or (denied.is_symlink() or denied.is_file()):
            raise Escaped(command)
        if denied.is_dir():
            denied.rmdir()


async def mounts(arena: Arena) -> None:
    """No mount brings back what is covered, and none is undone."""
    for command in (
        f"mount --bind {arena.outside} $0 && cat $0/secret",
        f"unshare -Urm sh -c 'mount --bind {arena.outside} $0 && cat $0/secret; umount $0; cat {arena.secret}'",
        f"umount $0; umount -l $0; cat {arena.secret}",
        f"chroot /proc/1/root cat {arena.secret}",
        f"nsenter -t {arena.victim.pid} -m cat {arena.secret}",
        f"nsenter -t {os.getpid()} -m cat {arena.secret}",
    ):
        lacks(await arena.sh(command, **arena.only_inside))


async def raw_devices(arena: Arena) -> None:
    """Disks and memory are not read past the file system."""
    devices = [
        path for path in Path("/dev").iterdir() if path.is_block_device() or path.name in {"mem", "kmsg"}
    ]
    for path in devices:
        done = await arena.python(OPEN, path)
        lacks(done, "opened")
    done = await arena.sh("mknod $0/disk b 254 0 && head -c 1 $0/disk && echo opened")
    lacks(done, "opened")


async def machine_knobs(arena: Arena) -> None:
    """The kernel's settings are not to be written."""
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper"):
        if Path(path).exists():  # opened, not written: should it succeed, nothing is harmed
            done = await arena.python(
                "import os, sys; os.open(sys.argv[1], os.O_WRONLY); print('opened')", path
            )
            lacks(done, "opened")


# The network.


async def connect(arena: Arena) -> None:
    """Nobody is reached: over loopback, nor by a socket that has only a name."""
    with arena.listener() as port:
        lacks(await arena.python(CONNECT, port, allow_network=False), "connected")
    lacks(await arena.python(UNIX, arena.victim.pid, allow_network=False), "connected")
    with contextlib.suppress(Escaped), arena.listener() as port:
        if b"connected" not in (await arena.python(CONNECT, port)).stdout:
            raise OpcodeError(ErrorCode.EXECUTION_ERROR, "a command that may use the network could not")


# Resources.


async def allocate(arena: Arena) -> None:
    """4 GiB are not had within 256 MiB."""
    lacks(await arena.python(ALLOCATE, 4 * GIB, max_memory_bytes=GIB // 4), "allocated")


async def fork_bomb(arena: Arena) -> None:
    """Of 200 processes only as many begin as may."""
    done = await arena.python(COUNT_CHILDREN, 200, max_pids=20, timeout=10.0)
    if int(done.stdout or 0) >= 20:
        raise Escaped(f"{int(done.stdout)} children began")


async def spin(arena: Arena) -> None:
    """At a fifth of a core, 0.4 seconds of work take long."""
    done = await arena.python(SPIN, 0.4, max_cpu_percent=20.0)
    if done.exit_code != 0 or done.duration < 1.0:
        raise Escaped(f"it took {done.duration:.2f} s, and ended with {done.exit_code}")


async def leave_group(arena: Arena) -> None:
    """No command joins another cgroup or loosens its own."""
    names = "-name cgroup.procs -o -name tasks -o -name pids.max -o -name cgroup.subtree_control"
    script = f"for f in $(find /sys/fs/cgroup {names}); do (: > $f) 2>/dev/null && echo opened $f; done"
    bounds = {"max_pids": 50} if "max_pids" in (arena.isolator.probe().keeps or ()) else {}
    lacks(await arena.sh(script, **bounds), "opened")


# The program that runs it.


async def read_environment(arena: Arena) -> None:
    """Another process's environment, memory and files stay its own."""
    pid = arena.victim.pid
    for path in (f"/proc/{pid}/environ", f"/proc/{os.getpid()}/environ", "/proc/$PPID/environ"):
        lacks(await arena.sh(f"cat {path}"), "PATH=/")
    for path in (f"/proc/{pid}/fd/", f"/proc/{os.getpid()}/fd/"):
        lacks(await arena.sh(f"ls -l {path} | grep ' -> '"), " -> ")
    lacks(await arena.python(OPEN, f"/proc/{pid}/mem"), "opened")


async def trace(arena: Arena) -> None:
    """No process outside is traced."""
    for pid in (arena.victim.pid, os.getpid()):
        lacks(await arena.python(TRACE, pid), "traced")


async def kill(arena: Arena) -> None:
    """No process outside is signalled, one by one nor all together."""
    pid = arena.victim.pid
    os.kill(pid, signal.SIGSTOP)
    for target in (str(pid), f"-{pid}", "-1"):
        await arena.sh(f"kill -CONT -- {target}")
    await arena.sh(f"kill -KILL {pid}; kill -KILL -- -{pid}")
    if arena.victim.poll() is not None:
        raise Escaped("the process was killed")
    if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        raise Escaped("the process was let go on")


async def kill_supervisor(arena: Arena) -> None:
    """Who sees the command through cannot be killed by it."""
    done = await arena.sh("(setsid sleep 300 &) ; kill -KILL $PPID; kill -KILL 1; kill -KILL 0")
    if done.duration > 10:
        raise Escaped("it was not noticed")


# What cannot be got rid of.


async def ordinary_timeout(arena: Arena) -> None:
    """A timeout kills children, also in other sessions and with signals ignored."""
    script = "trap '' TERM INT HUP; setsid sh -c 'trap \"\" TERM; sleep 300; sleep 300' & sleep 300"
    await _killed(await arena.sh(script, timeout=0.5))


async def daemon(arena: Arena) -> None:
    """A daemon does not outlive its command, whether that ends by itself or by its timeout."""
    await arena.python(DAEMON, arena.inside / "began", 0)
    if not (arena.inside / "began").exists() or arena.running(until_gone=5.0):
        raise Escaped("the daemon lives on")
    await _killed(await arena.python(DAEMON, arena.inside / "began", 300, timeout=1.0))
    if arena.running(until_gone=5.0):
        raise Escaped("the daemon lives on")


async def hopper(arena: Arena) -> None:
    """A process that hops from child to child is caught."""
    await _killed(await arena.python(HOPPER, 30, timeout=0.7))
    if arena.running(until_gone=5.0):
        raise Escaped("it hops on")


async def stopped(arena: Arena) -> None:
    """Being stopped is no shelter."""
    await _killed(await arena.sh("(sleep 300 & kill -STOP $!) ; kill -STOP $$; sleep 300", timeout=0.5))


async def cancelled(arena: Arena) -> None:
    """Being given up ends all of it."""
    began = arena.inside / "began"
    task = asyncio.create_task(arena.python(DAEMON, began, 300))
    while not began.exists() and not task.done():
        await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    if arena.running(until_gone=5.0):
        raise Escaped("it lives on")


async def program_killed(arena: Arena) -> None:
    """When the program that runs it is killed, nothing goes on."""
    began = arena.inside / "began"
    kind = type(arena.isolator)
    entry = f"{kind.__module__}:{kind.__qualname__}"
    arguments = [sys.executable, "-m", "opcode_testkit.isolation.alone", entry, str(began), str(arena.inside)]
    with subprocess.Popen(arguments, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}) as program:  # noqa: ASYNC220
        deadline = time.monotonic() + 20
        while not began.exists() and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        program.kill()
    if not began.exists():
        raise OpcodeError(ErrorCode.EXECUTION_ERROR, "the program did not get as far as its command")
    if arena.running(until_gone=5.0):
        raise Escaped("the command lives on")


# What is always so.


async def descriptors(arena: Arena) -> None:
    """Nothing that is open here is open there."""
    with arena.secret.open() as held:
        os.set_inheritable(held.fileno(), True)
        done = await arena.python("import os; print(sorted(map(int, os.listdir('/proc/self/fd'))))")
    if done.stdout.split() != b"[0, 1, 2, 3]".split():  # 3 is the folder that is being listed
        raise Escaped(done.stdout.decode())


async def core_dump(arena: Arena) -> None:
    """No memory is left in a file."""
    done = await arena.sh("kill -SEGV $$")
    if done.exit_code != -signal.SIGSEGV or [*arena.inside.glob("*core*")]:
        raise Escaped(f"{[*arena.inside.iterdir()]}, {done.exit_code}")


async def rights(arena: Arena) -> None:
    """No program gives rights, and nobody is the machine's administrator."""
    status = (await arena.sh("cat /proc/self/status")).stdout.decode()
    facts: dict[str, Any] = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    if facts["NoNewPrivs"] != "1" or (int(facts["CapEff"], 16) | int(facts["CapPrm"], 16)) >> 21 & 1:
        raise Escaped(f"{facts['NoNewPrivs']} {facts['CapEff']}")


async def user_namespace(arena: Arena) -> None:
    """No namespace makes anybody its master."""
    lacks(
        await arena.sh("unshare -Ur id -u && echo escaped; unshare -Urn ip link && echo escaped"), "escaped"
    )


ATTACKS = (
    Attack("read outside the allowed paths", "files", read_outside),
    Attack("write outside the allowed paths", "files", write_outside),
    Attack("write what may only be read", "files", write_read_only),
    Attack("reach what is denied", "files", read_denied),
    Attack("make what is denied and not there yet", "files", make_denied),
    Attack("mount, unmount, enter other mounts", "files", mounts),
    Attack("read disks and memory as devices", "devices", raw_devices),
    Attack("turn the kernel's knobs", "devices", machine_knobs),
    Attack("reach the network", "network", connect),
    Attack("take 4 GiB of memory", "memory", allocate),
    Attack("bomb with forks", "pids", fork_bomb),
    Attack("use up a core", "cpu", spin),
    Attack("leave the cgroup", "devices", leave_group),
    Attack("read another's environment, memory, files", "program", read_environment),
    Attack("trace another process", "program", trace),
    Attack("kill another process", "signals", kill),
    Attack("kill the supervisor", "signals", kill_supervisor),
    Attack("outlive the timeout: sessions, ignored signals", "timeout", ordinary_timeout),
    Attack("outlive the timeout: stopped", "timeout", stopped),
    Attack("leave a daemon behind", "tree", daemon),
    Attack("hop from process to process", "tree", hopper),
    Attack("outlive being given up", "tree", cancelled),
    Attack("outlive the program", "tree", program_killed),
    Attack("use inherited descriptors", "always", descriptors),
    Attack("dump core", "always", core_dump),
    Attack("gain rights", "rights", rights),
    Attack("make a user namespace", "rights", user_namespace),
)


async def _killed(done: Any) -> None:
    if not done.killed or done.duration > 10:
        raise Escaped(f"killed: {done.killed}, after {done.duration:.1f} s")
