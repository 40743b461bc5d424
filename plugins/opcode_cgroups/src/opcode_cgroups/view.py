"""What a command sees of the files: its own mounts, put together in a mount namespace of its own.

Trees are taken by file descriptor before anything covers them, and by paths in which no link is followed,
so what is swapped meanwhile leads nowhere.
"""

from __future__ import annotations

import os
import stat

from opcode_cgroups import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_FIXED = ("acpi", "asound", "bus", "fs", "irq", "scsi")
_MASKED = ("kcore", "keys", "kmsg", "latency_stats", "sched_debug", "sysrq-trigger", "timer_list")
_ROOT = "/dev"
"""Where a new root is put together: what is there has been taken by then, and nothing else of it is needed."""
_DENIED = "dev/.denied"
"""A socket, with which denied files are covered: opening it fails for everybody, root included."""
_SAFE = kernel.NO_SUID | kernel.NO_DEVICES
_MOST_NEIGHBOURS = 5000


def make(files: dict[str, Any]) -> None:
    """Put the view up, in a mount namespace that is ours alone.

    Raises:
        OSError: the kernel does not do it.
    """
    places = _places(files)
    devices = _devices(places)
    kernel.change_at("/", kernel.NEVER_SUID | kernel.NEVER_DEVICES)
    trees = [(path, _taken(path, flags)) for path, flags in places.items() if not _is_ours(path)]
    in_place = files["everything"] or "/" in places
    root = "/" if in_place else _ROOT + "/"
    if in_place:
        kernel.change_at("/", places.get("/", 0))
        _fix("/sys")
    else:
        kernel.mount("tmpfs", _ROOT, _SAFE, "mode=755,size=1m")
        _assemble(trees, files["links"])
    _dev(f"{root}dev", devices)
    _proc(f"{root}proc", root + _DENIED)
    if in_place:
        for path, tree in trees:
            kernel.put(tree, path)
    else:
        kernel.make_root(_ROOT)
    for folder in files["closed"]:
        _close(folder)
    for path in files["deny"]:
        _deny(path)
    if not in_place:
        kernel.change_at("/", kernel.READ_ONLY, below=False)
    _write("/proc/sys/user/max_user_namespaces", "0")  # or a command would make one and be master of it
    _fix("/proc/sys")


def _places(files: dict[str, Any]) -> dict[str, int]:
    """Each place that is named, with the flags of its mount, outermost first; what is both is only read."""
    places = dict.fromkeys(files["writable"], 0) | dict.fromkeys(files["read_only"], kernel.READ_ONLY)
    return {path: places[path] for path in sorted(places, key=lambda path: path.rstrip("/").count("/"))}


def _is_ours(path: str) -> bool:
    """Whether it is a place that every command gets a version of its own of."""
    return path in {"/", "/proc", "/dev"} or path.startswith(("/proc/", "/dev/"))


def _devices(places: dict[str, int]) -> dict[str, int]:
    names = [*_DEVICES, *(path.removeprefix("/dev/") for path in places if path.startswith("/dev/"))]
    return {name: kernel.take(f"/dev/{name}") for name in dict.fromkeys(names) if _is_file(f"/dev/{name}")}


def _taken(path: str, flags: int) -> int:
    tree = kernel.take(path)
    kernel.change(tree, flags)
    return tree


def _assemble(trees: list[tuple[str, int]], links: list[str]) -> None:
    for link in links:
        os.makedirs(os.path.dirname(f"{_ROOT}{link}"), exist_ok=True)  # noqa: PTH103, PTH120
        os.symlink(os.readlink(link), f"{_ROOT}{link}")  # noqa: PTH115, PTH211
    for path, tree in trees:
        target = f"{_ROOT}{path}"
        if not _is_there(target):
            _make_place(target, is_folder=stat.S_ISDIR(os.fstat(tree).st_mode))
        kernel.put(tree, target)


def _make_place(target: str, *, is_folder: bool) -> None:
    folder = target if is_folder else os.path.dirname(target)  # noqa: PTH120
    os.makedirs(folder, exist_ok=True)  # noqa: PTH103
    if not is_folder:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))


def _dev(target: str, devices: dict[str, int]) -> None:
    """The harmless devices, terminals and shared memory of its own."""
    _make_place(target, is_folder=True)
    kernel.mount("tmpfs", target, kernel.NO_SUID | kernel.NO_EXEC, "mode=755,size=1m")
    for name, tree in devices.items():
        _make_place(f"{target}/{name}", is_folder=False)
        kernel.put(tree, f"{target}/{name}")
    for name, leads_to in (
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ):
        os.symlink(leads_to, f"{target}/{name}")  # noqa: PTH211
    os.mknod(f"{target}/{os.path.basename(_DENIED)}", stat.S_IFSOCK)  # noqa: PTH119
    for name in ("pts", "shm"):
        _make_place(f"{target}/{name}", is_folder=True)
    kernel.mount(
        "devpts", f"{target}/pts", kernel.NO_SUID | kernel.NO_EXEC, "newinstance,ptmxmode=0666,mode=620"
    )
    kernel.mount("tmpfs", f"{target}/shm", _SAFE, "mode=1777,size=64m")


def _proc(target: str, denied: str) -> None:
    """Only the processes of this namespace, and nothing that turns the machine's knobs."""
    _make_place(target, is_folder=True)
    kernel.mount("proc", target, _SAFE | kernel.NO_EXEC)
    for name in _FIXED:
        if _is_there(f"{target}/{name}"):
            _fix(f"{target}/{name}")
    for name in _MASKED:
        if _is_there(f"{target}/{name}"):
            kernel.put(kernel.take(denied), f"{target}/{name}")


def _close(folder: str) -> None:
    """Nothing can be made in a folder, while what is in it stays as it is."""
    if not _is_there(folder):
        return
    paths = [entry.path for entry in os.scandir(folder) if not entry.is_symlink()]
    if len(paths) > _MOST_NEIGHBOURS:
        raise OSError(
            f"{folder} holds {len(paths)} entries, too many to deny one more that does not exist yet"
        )
    trees = [(path, kernel.take(path)) for path in paths]
    whole = kernel.take(folder)
    kernel.change(whole, kernel.READ_ONLY, below=False)
    kernel.put(whole, folder)
    for path, tree in trees:
        kernel.put(tree, path)


def _deny(path: str) -> None:
    """Cover a folder by one that is empty, a file by one that nobody can open."""
    if not _is_there(path):
        return
    if os.path.isdir(path):  # noqa: PTH112
        kernel.mount("tmpfs", path, _SAFE, "mode=000,size=4k")
        kernel.change_at(path, kernel.READ_ONLY)
    else:
        kernel.put(kernel.take(f"/{_DENIED}"), path)


def _fix(path: str) -> None:
    """Let it only be read, mount or not."""
    if _is_there(path):
        kernel.put(_taken(path, kernel.READ_ONLY), path)


def _is_there(path: str) -> bool:
    return os.path.lexists(path)


def _is_file(path: str) -> bool:
    return _is_there(path) and not os.path.isdir(path) and not os.path.islink(path)  # noqa: PTH112, PTH114


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:  # noqa: PLW1514, PTH123, RUF100
        file.write(text)
