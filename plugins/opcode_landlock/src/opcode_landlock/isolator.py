"""The isolator `landlock`."""

from functools import cached_property

from opcode_core import Command, FileRules, Finished, Launcher, Limits, Probe, cannot_keep
from opcode_landlock.calls import known_architecture
from opcode_landlock.landlock import version

_KEEPS = frozenset({"max_memory_bytes", "allow_network", "read_only_paths", "writable_paths", "deny_paths"})
_RLIMIT_AS = 9


class LandlockIsolator:
    """Runs a command behind Landlock and a seccomp filter: no rights are needed to put them up.

    A command ends when its first process ends; every process that came of it is killed then, also those
    that left its session.

    `max_memory_bytes` is RLIMIT_AS of each process. `max_cpu_percent` and `max_pids` take cgroups.
    """

    name = "landlock"

    def __init__(self) -> None:
        self._launcher = Launcher("opcode_landlock.confinement", self.name)

    def probe(self) -> Probe:
        """Try it once, for real."""
        return self._probe

    async def run(self, command: Command, limits: Limits) -> Finished:
        """Run to the end or to the timeout; being cancelled kills the whole tree.

        Raises:
            OpcodeError: EXECUTION_ERROR when it cannot start, ISOLATION_ERROR for a limit that is not
                kept here, and where the layers cannot be put up.
        """
        lacking = limits.asked() - _KEEPS
        if lacking:
            raise cannot_keep(self.name, lacking, "Landlock and seccomp count neither processes nor time")
        memory = limits.max_memory_bytes
        return await self._launcher.run(
            command,
            limits,
            {"files": FileRules.of(limits).as_json(), "network": limits.allow_network},
            rlimits=[] if memory is None else [(_RLIMIT_AS, memory)],
        )

    @cached_property
    def _probe(self) -> Probe:
        abi = version()
        why = _why_not(abi)
        if why is None:
            rules = FileRules.of(Limits(allow_network=False)).as_json()
            why = self._launcher.attempt({"files": rules, "network": False})
        if why is not None:
            return Probe(works=False, strength=20, layers={"landlock, seccomp": f"missing: {why}"})
        return Probe(works=True, strength=20, layers=_layers(abi), keeps=_KEEPS, confines=abi >= 6)


def _why_not(abi: int) -> str | None:
    if not abi:
        return "the kernel has no Landlock (Linux 5.13, with `landlock` among its security modules)"
    if not known_architecture():
        return "the system calls of this architecture are not known to the filter"
    return None


def _layers(abi: int) -> dict[str, str]:
    truncation = "" if abi >= 3 else ", but what may only be read can be truncated (Linux 6.2 ends that)"
    return {
        "files": f"works, Landlock {abi}{truncation}",
        "network": "works, all or nothing",
        "signals": "works" if abi >= 6 else "missing: needs Landlock 6 (Linux 6.12)",
        "system calls": "works",
        "kill of the whole tree": "works",
        "memory": "works, for each process",
        "cpu, pids": "missing: needs cgroups",
    }
