"""Which isolator is used, as the setting `isolation` says, and what happens to limits that it does not keep."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from opcode_core.contracts.isolator import Command, Finished, Isolator, Limits, Probe
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.settings import in_use
from opcode_core.suggestions import available

AUTO, REQUIRE = "auto", "require"
RESOURCES = frozenset({"max_memory_bytes", "max_cpu_percent", "max_pids"})
"""Limits without which a command may take too much, but reaches nothing that it should not."""

_log = logging.getLogger("opcode.isolation")


@dataclass(frozen=True, slots=True)
class Choice:
    """The isolator that is used, and what it can do here."""

    isolator: Isolator
    probe: Probe

    def __str__(self) -> str:
        layers = "; ".join(f"{name}: {state}" for name, state in self.probe.layers.items())
        return f"the isolator {self.isolator.name} is used: {layers}"


class ChosenIsolator:
    """The isolator of the settings. It is looked for when it is first needed, for that takes a moment.

    A limit that it does not keep is an ISOLATION_ERROR, and nothing is run, where the limit bounds what a
    command can reach, and with `require` for every limit. Elsewhere the command runs without it, and what it
    gives back says so.

    Args:
        isolators: those that there are, by name.
        isolation: `auto` for the strongest that works, `require` for the strongest that keeps commands from
            this program, or a name; what the settings say by default.
    """

    def __init__(self, isolators: Mapping[str, Isolator], isolation: str | None = None) -> None:
        self._isolators = isolators
        settings = in_use()
        self.isolation = isolation or (settings.isolation if settings else AUTO)

    @property
    def name(self) -> str:
        """Of the one that is used.

        Raises:
            OpcodeError: ISOLATION_ERROR when there is none.
        """
        return self.choice.isolator.name

    def probe(self) -> Probe:
        """What it can do here.

        Raises:
            OpcodeError: ISOLATION_ERROR when there is none.
        """
        return self.choice.probe

    def check(self) -> None:
        """Whether the setting means anything; nothing is tried for that.

        Raises:
            OpcodeError: VALIDATION_ERROR for a name that there is not.
        """
        if self.isolation not in {AUTO, REQUIRE, *self._isolators}:
            names = available([AUTO, REQUIRE, *sorted(self._isolators)])
            raise OpcodeError(
                ErrorCode.VALIDATION_ERROR, f"isolation is {self.isolation!r}, which is no isolator; {names}"
            )

    async def announce(self) -> None:
        """Say in the log which isolator is used, what it does, and what it cannot do here."""
        try:
            choice = await self._made()
        except OpcodeError as error:
            _log.error("%s", error.message)
        else:
            _log.log(logging.INFO if choice.probe.confines else logging.WARNING, "%s", choice)

    async def _made(self) -> Choice:
        if "choice" not in self.__dict__:
            await asyncio.to_thread(lambda: self.choice)
        return self.choice

    async def run(self, command: Command, limits: Limits) -> Finished:
        """Run within all limits that are kept here.

        Raises:
            OpcodeError: EXECUTION_ERROR when it cannot start, ISOLATION_ERROR when no isolator may be used,
                or when the one that is does not keep a limit that must be kept.
        """
        choice = await self._made()
        kept = choice.probe.keeps
        lacking = frozenset() if kept is None else limits.asked() - kept
        if not lacking:
            return await choice.isolator.run(command, limits)
        if self.isolation == REQUIRE or lacking - RESOURCES:
            raise _cannot_keep(lacking, choice)
        finished = await choice.isolator.run(command, _without(limits, lacking))
        return replace(finished, unkept=(*finished.unkept, *sorted(lacking)))

    @cached_property
    def choice(self) -> Choice:
        """The isolator that is used.

        Raises:
            OpcodeError: ISOLATION_ERROR when none may be, VALIDATION_ERROR for a name that there is not.
        """
        self.check()
        if self.isolation in self._isolators:
            return self._named(self._isolators[self.isolation])
        choices = [Choice(isolator, isolator.probe()) for isolator in self._isolators.values()]
        fit = [
            choice
            for choice in choices
            if choice.probe.works and (choice.probe.confines or self.isolation == AUTO)
        ]
        if not fit:
            raise _none_fits(choices, self.isolation)
        return max(fit, key=lambda choice: choice.probe.strength)

    def _named(self, isolator: Isolator) -> Choice:
        choice = Choice(isolator, isolator.probe())
        if not choice.probe.works:
            raise _none_fits([choice], self.isolation)
        return choice


def _without(limits: Limits, names: Iterable[str]) -> Limits:
    return replace(limits, **dict.fromkeys(names))  # type: ignore[arg-type]


def _cannot_keep(names: Iterable[str], choice: Choice) -> OpcodeError:
    limits = sorted(names)
    return OpcodeError(
        ErrorCode.ISOLATION_ERROR,
        f"{', '.join(limits)} cannot be enforced here, so nothing was run: {_missing(choice)}; install an isolator "
        "plugin that can (opcode-cgroups, opcode-landlock), where the machine allows it, or leave the limit out",
        details={"isolator": choice.isolator.name, "limits": limits},
    )


def _none_fits(choices: list[Choice], isolation: str) -> OpcodeError:
    why = " | ".join(_missing(choice) for choice in choices) or "no isolator is installed"
    return OpcodeError(
        ErrorCode.ISOLATION_ERROR,
        f"isolation is {isolation!r}, and nothing here offers that, so no command is run: {why}",
        details={"isolation": isolation, "isolators": [choice.isolator.name for choice in choices]},
    )


def _missing(choice: Choice) -> str:
    lacking = [
        f"{name} {state}" for name, state in choice.probe.layers.items() if state.startswith("missing")
    ]
    return f"the isolator {choice.isolator.name} has: {'; '.join(lacking) or 'all its layers'}"
