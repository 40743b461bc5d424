"""The isolator `cgroups`."""

import logging
import os
import resource
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from opcode_cgroups.groups import Groups, was_out_of_memory
from opcode_core import Command, FileRules, Finished, Launcher, Limits, Probe, cannot_keep

_log = logging.getLogger("opcode.isolation")
_BY_CONTROLLER = {"cpu": "max_cpu_percent", "pids": "max_pids"}
_BY_NAMESPACES = frozenset({"allow_network", "read_only_paths", "writable_paths", "deny_paths"})
_INIT = 1
"""Processes in the user namespace that are not the command's."""


class CgroupIsolator:
    """Runs a command in cgroups and namespaces of its own: user, pid, mount, IPC, and network when it has none.

    A command ends when its first process ends; whatever else is in its namespaces and groups is killed then.
    """

    name = "cgroups"

    def __init__(self, groups: Groups | None = None) -> None:
        self._groups = groups or Groups()
        self._launcher = Launcher("opcode_cgroups.confinement", self.name)

    def probe(self) -> Probe:
        """Try it once, for real, and remove what a killed program left."""
        return self._probe

    async def run(self, command: Command, limits: Limits) -> Finished:
        """Run to the end or to a limit; being cancelled kills the whole tree.

        Raises:
            OpcodeError: EXECUTION_ERROR when it cannot start, ISOLATION_ERROR for a limit that cannot be
                kept here, and where the layers cannot be put up.
        """
        lacking = limits.asked() - (self._probe.keeps or frozenset())
        if lacking:
            missing = "; ".join(
                f"{name}: {why}" for name, why in self._probe.layers.items() if "missing" in why
            )
            raise cannot_keep(self.name, lacking, missing)
        try:
            # A pid namespace ends with its init as a whole, so it takes a group only to bound something.
            groups = self._groups.make(limits, always=not self._has_namespaces)
        except OSError as error:
            raise cannot_keep(self.name, limits.asked() or {"its group"}, str(error)) from None
        setup = _setup(limits, groups, namespaces=self._has_namespaces)
        try:
            finished = await self._launcher.run(
                command, limits, setup, init=self._has_namespaces, rlimits=self._rlimits(limits)
            )
            return replace(finished, killed=finished.killed or was_out_of_memory(groups))
        finally:
            self._groups.remove(groups)

    def _rlimits(self, limits: Limits) -> list[tuple[int, int]]:
        """What no controller counts: memory of each process, and processes of a user in its namespace."""
        bounds = []
        if limits.max_memory_bytes is not None and "memory" not in self._groups.bases:
            bounds.append((resource.RLIMIT_AS, limits.max_memory_bytes))
        if limits.max_pids is not None and "pids" not in self._groups.bases:
            bounds.append((resource.RLIMIT_NPROC, limits.max_pids + _INIT))
        return bounds

    @cached_property
    def _has_namespaces(self) -> bool:
        return self._namespaces is None

    @cached_property
    def _namespaces(self) -> str | None:
        """Why there are none, or None."""
        return self._launcher.attempt(_setup(Limits(allow_network=False), [], namespaces=True), init=True)

    @cached_property
    def _probe(self) -> Probe:
        swept = self._groups.sweep()
        if swept:
            _log.warning(
                "%d groups that a killed program left were removed, with all that ran in them", swept
            )
        bases, missing, apart = self._groups.bases, self._groups.missing, self._has_namespaces
        layers = {}
        for name in ("cpu", "pids", "memory", "kill"):
            base = bases.get(name)
            layers[name] = (
                f"works, cgroups v{2 if base.unified else 1}" if base else f"missing: {missing[name]}"
            )
        keeps = {"max_memory_bytes", *(limit for name, limit in _BY_CONTROLLER.items() if name in bases)}
        if "memory" not in bases:
            layers["memory"] = f"works, for each process (for all together: {missing['memory']})"
        if apart and "pids" not in bases and os.getuid() != 0:
            keeps.add("max_pids")
            layers["pids"] = "works, counted for the user namespace"
        if apart:
            keeps |= _BY_NAMESPACES
        layers["namespaces (user, pid, mount, network, ipc)"] = (
            "works" if apart else f"missing: {self._namespaces}"
        )
        return Probe(
            works=apart or "kill" in bases,
            strength=30 if apart else 10,
            layers=layers,
            keeps=frozenset(keeps),
            confines=apart,
        )


def _setup(limits: Limits, groups: list[Path], *, namespaces: bool) -> dict[str, Any]:
    """What the confinement is told; `group` is the one of version 2, in which the init can begin."""
    unified = [str(group) for group in groups if (group / "cgroup.type").exists()]
    return {
        "namespaces": namespaces,
        "network": limits.allow_network,
        "files": FileRules.of(_with_hidden(limits)).as_json(),
        "group": unified[0] if unified else None,
        "groups": [str(group) for group in groups if str(group) not in unified],
    }


def _with_hidden(limits: Limits) -> Limits:
    """A place is covered by a mount, which nothing beside it notices: what is to be hidden is simply denied."""
    there = tuple(path for path in limits.hidden_paths if path.exists())
    return replace(limits, deny_paths=(*limits.deny_paths, *there))
