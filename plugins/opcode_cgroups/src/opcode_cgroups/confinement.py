"""What the launcher calls: to make an init in namespaces and groups, and to set up what is seen there."""

from __future__ import annotations

import os

from opcode_cgroups import kernel, view

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ALL_IDS = "0 0 4294967295"


def fork(setup: dict[str, Any]) -> int:
    """Make the init: the first process of its namespaces, in which all ids stay what they are.

    Raises:
        OSError: the kernel, or its settings, do not allow that.
    """
    flags = kernel.NEW_USER | kernel.NEW_PID | kernel.NEW_MOUNTS | kernel.NEW_IPC
    ready, set_ready = os.pipe()
    group = os.open(setup["group"], os.O_PATH | os.O_DIRECTORY) if setup["group"] else None
    pid = kernel.fork(flags if setup["network"] else flags | kernel.NEW_NET, group)
    if pid == 0:
        os.close(set_ready)
        if not os.read(ready, 1):  # the supervisor ended, or could not map the ids
            os._exit(1)
        return 0
    _map_ids(pid)
    os.write(set_ready, b"!")
    for file in (ready, set_ready, *(() if group is None else (group,))):
        os.close(file)
    return pid


def enter(setup: dict[str, Any]) -> None:
    """The init's part: its other groups, and what is seen of the files.

    Raises:
        OSError: a group does not take it, or a mount cannot be had.
    """
    _join(setup["groups"])
    kernel.keep_mounts_to_ourselves()
    view.make(setup["files"])


def confine(setup: dict[str, Any]) -> None:
    """The command's part: where there are no namespaces, it joins its groups itself.

    Raises:
        OSError: a group does not take it.
    """
    if not setup["namespaces"]:
        _join([*setup["groups"], *([setup["group"]] if setup["group"] else ())])


def _join(groups: list[str]) -> None:
    for group in groups:
        _write(f"{group}/cgroup.procs", "0")


def _map_ids(pid: int) -> None:
    """Root keeps the ids of all users, or files of others could not be used; anyone else only the own."""
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        _write(f"/proc/{pid}/uid_map", _ALL_IDS)
        _write(f"/proc/{pid}/gid_map", _ALL_IDS)
    else:
        _write(f"/proc/{pid}/setgroups", "deny")
        _write(f"/proc/{pid}/uid_map", f"{uid} {uid} 1")
        _write(f"/proc/{pid}/gid_map", f"{gid} {gid} 1")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:  # noqa: PLW1514, PTH123, RUF100
        file.write(text)
