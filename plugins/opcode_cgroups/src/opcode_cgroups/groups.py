"""The cgroups in which commands may be put, found at run time: version 2, and version 1 for what it lacks.

Groups are made below the one that this program is in, and only where that is ours to do: it is the root of
its hierarchy, or was delegated, or belongs to the user that this program runs as. Any other belongs to
whoever made it, and is left alone.
"""

import contextlib
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path

from opcode_core import Limits

CONTROLLERS = ("memory", "cpu", "pids")
PERIOD = 100_000
"""Microseconds over which time on the processors is counted."""
_NAME = re.compile(r"opcode-(?P<space>\d+)-(?P<pid>\d+)-(?P<born>\d+)-\d+")
_DELEGATED = ("user.delegate", "trusted.delegate")
_TRIES = 200
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Base:
    """A directory in which groups may be made; `unified` for version 2."""

    path: Path
    unified: bool


class Groups:
    """What cgroups this program can use, and why not others."""

    def __init__(
        self, mounts: Path = Path("/proc/self/mountinfo"), own: Path = Path("/proc/self/cgroup")
    ) -> None:
        self._mounts = mounts
        self._own = own

    @cached_property
    def bases(self) -> Mapping[str, Base]:
        """Where each controller, and `kill` for the whole group, can be had."""
        return {
            name: found for name in (*CONTROLLERS, "kill") if isinstance(found := self._looked[name], Base)
        }

    @cached_property
    def missing(self) -> Mapping[str, str]:
        """Why the others cannot."""
        return {name: why for name, why in self._looked.items() if isinstance(why, str)}

    @cached_property
    def _looked(self) -> Mapping[str, Base | str]:
        unified = self._unified()
        found: dict[str, Base | str] = {"kill": unified}
        for name in CONTROLLERS:
            found[name] = _with_controller(unified, name)
            if isinstance(found[name], str):
                first = self._first_version(name)
                found[name] = first if isinstance(first, Base) else first or found[name]
        return found

    def _unified(self) -> Base | str:
        place = self._place("", "cgroup2")
        if place is None:
            return "no cgroups of version 2 are mounted"
        if _is_ours(place) and os.access(place, os.W_OK):
            return Base(place, unified=True)
        if _is_ours(place.parent) and os.access(place.parent, os.W_OK):
            return Base(place.parent, unified=True)
        return f"the group {place} was not delegated to this program (in systemd: Delegate=yes)"

    def _first_version(self, controller: str) -> Base | str | None:
        place = self._place(controller, "cgroup")
        if place is None:
            return None
        if not _is_ours(place) or not os.access(place, os.W_OK):
            return f"the group {place} belongs to whoever started this program, and was not delegated to it"
        return Base(place, unified=False)

    def _place(self, controller: str, kind: str) -> Path | None:
        """Our own group in a hierarchy, as a directory."""
        own = _own_path(self._own.read_text(), controller)
        if own is None:
            return None
        for line in self._mounts.read_text().splitlines():
            before, _, after = line.partition(" - ")
            _, _, _, root, mounted, *_ = before.split()
            known, _, options = after.split(" ", 2)
            if known == kind and (not controller or controller in options.split(" ")[-1].split(",")):
                below = os.path.relpath(own, root)
                return None if below.startswith("..") else Path(mounted) / below
        return None

    def make(self, limits: Limits, *, always: bool = True) -> list[Path]:
        """New groups for one command, bounded as `limits` say, in as many hierarchies as that takes.

        Unless `always`, none where nothing is to be bounded.

        Raises:
            OSError: the kernel does not do it.
        """
        wanted = _settings(limits)
        places: dict[Path, list[tuple[bool, str]]] = {}
        for controller in ("kill", *wanted) if wanted or always else ():
            base = self.bases.get(controller)
            if base is not None:
                places.setdefault(base.path, []).append((base.unified, controller))
        name = f"opcode-{_space()}-{os.getpid()}-{_born(os.getpid())}-{next(_numbers)}"
        made: list[Path] = []
        try:
            for base_path, controllers in places.items():
                group = base_path / name
                group.mkdir()
                made.append(group)
                for unified, controller in controllers:
                    for file, value in wanted.get(controller, _NONE)[unified]:
                        _set(group / file, value)
        except BaseException:
            self.remove(made)
            raise
        return made

    def remove(self, groups: list[Path]) -> None:
        """Kill whoever is left in them, and be rid of them."""
        for group in groups:
            for _ in range(_TRIES):
                try:
                    group.rmdir()
                except FileNotFoundError:
                    break
                except OSError:  # somebody is in it, and who is killed takes a moment to be gone
                    _kill(group)
                    time.sleep(0.001)
                else:
                    break

    def sweep(self) -> int:
        """Remove what programs left that are not there any more, with all that runs in it; how many groups."""
        left = [
            group
            for base in {base.path for base in self.bases.values()}
            for group in base.iterdir()
            if _is_left(group.name)
        ]
        self.remove(left)
        return len(left)


def was_out_of_memory(groups: list[Path]) -> bool:
    """Whether the kernel killed somebody in the groups because their memory was used up."""
    for group in groups:
        for name in ("memory.events", "memory.oom_control"):
            with contextlib.suppress(OSError):
                if re.search(r"^oom_kill [1-9]", (group / name).read_text(), re.MULTILINE):
                    return True
    return False


_Settings = tuple[list[tuple[str, str]], list[tuple[str, str]]]
_NONE: _Settings = ([], [])


def _settings(limits: Limits) -> dict[str, _Settings]:
    """By controller, the files and values of version 1 and of version 2."""
    found: dict[str, _Settings] = {}
    if limits.max_memory_bytes is not None:
        most = str(limits.max_memory_bytes)
        found["memory"] = (
            [("memory.limit_in_bytes", most), ("?memory.memsw.limit_in_bytes", most)],
            [("memory.max", most), ("?memory.swap.max", "0"), ("?memory.oom.group", "1")],
        )
    if limits.max_cpu_percent is not None:
        quota = max(1000, round(limits.max_cpu_percent / 100 * PERIOD))
        found["cpu"] = (
            [("cpu.cfs_period_us", str(PERIOD)), ("cpu.cfs_quota_us", str(quota))],
            [("cpu.max", f"{quota} {PERIOD}")],
        )
    if limits.max_pids is not None:
        most = str(limits.max_pids + 1)  # the init is one of them
        found["pids"] = ([("pids.max", most)], [("pids.max", most)])
    return found


def _set(file: Path, value: str) -> None:
    optional = file.name.startswith("?")
    with contextlib.suppress(FileNotFoundError) if optional else contextlib.nullcontext():
        descriptor = os.open(file.with_name(file.name.lstrip("?")), os.O_WRONLY)
        try:
            os.write(descriptor, value.encode())
        finally:
            os.close(descriptor)


def _kill(group: Path) -> None:
    try:
        (group / "cgroup.kill").write_text("1")
    except OSError:  # version 1, or older than Linux 5.14
        with contextlib.suppress(OSError):
            for pid in (group / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(int(pid), 9)


def _with_controller(base: Base | str, controller: str) -> Base | str:
    if isinstance(base, str):
        return base
    try:
        if controller not in (base.path / "cgroup.controllers").read_text().split():
            return f"cgroups of version 2 have no {controller} controller here"
        if controller not in (base.path / "cgroup.subtree_control").read_text().split():
            _set(base.path / "cgroup.subtree_control", f"+{controller}")
    except OSError as error:
        return f"{base.path} does not pass on {controller}: {os.strerror(error.errno or 0)}"
    return base


def _own_path(text: str, controller: str) -> str | None:
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(",") if controller else not controllers:
            return path
    return None


def _is_ours(group: Path) -> bool:
    if not (group / "cgroup.procs").exists():
        return False
    if not (group.parent / "cgroup.procs").exists():
        return True
    for name in _DELEGATED:
        with contextlib.suppress(OSError):
            if os.getxattr(group, name) == b"1":
                return True
    return 0 != group.stat().st_uid == os.getuid()


def _is_left(name: str) -> bool:
    match = _NAME.fullmatch(name)
    if match is None or match["space"] != str(_space()):
        return False
    return _born(int(match["pid"])) != match["born"]


def _space() -> int:
    """The pid namespace: ids in another one mean other processes."""
    return Path("/proc/self/ns/pid").stat().st_ino


def _born(pid: int) -> str:
    """When a process was started, in ticks since the machine was; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
