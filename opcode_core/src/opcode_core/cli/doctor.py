"""`opcode doctor`."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import click

from opcode_core.cli.problems import DONE, FAILED, Usage, count
from opcode_core.cli.screen import print_json
from opcode_core.cli.session import JSON, engine, plugin_manager, registry, settings
from opcode_core.cli.tally import tally
from opcode_core.errors import OpcodeError

if TYPE_CHECKING:
    from rich.text import Text

    from opcode_core.engine.doctor import Finding
    from opcode_core.engine.engine import Engine

Tell = Callable[["Finding"], None]
MOST = 1000
"""Findings that are given as JSON; more are only counted."""


@dataclass(slots=True)
class Examined:
    """What was looked at, and how often something was wrong, by area."""

    runs: int = 0
    events: int = 0
    open: int = 0
    readable: bool = False
    isolator: str | None = None
    layers: dict[str, str] = field(default_factory=dict)
    tools: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, int] = field(default_factory=dict)


@click.command("doctor")
@JSON
def command(as_json: bool) -> int:
    """Look for what is wrong with the storage, the runs and the plugins, and say what to do.

    Nothing is changed. The exit code is 1 when something is wrong.
    """
    examined = Examined()
    findings: list[dict[str, Any]] = []

    def tell(finding: "Finding") -> None:
        examined.wrong[finding.area] = examined.wrong.get(finding.area, 0) + 1
        if not as_json:
            _show(finding)
        elif len(findings) < MOST:
            findings.append(asdict(finding))

    _examine_program(examined, tell)
    asyncio.run(_examine_storage(examined, tell))
    wrong = sum(examined.wrong.values())
    if as_json:
        facts = {"storage": _where(), **asdict(examined)}
        print_json({"ok": not wrong, "count": wrong, "findings": findings, "examined": facts})
    else:
        _say_what_is_fine(examined)
    return FAILED if wrong else DONE


def _examine_program(examined: Examined, tell: Tell) -> None:
    from opcode_core.engine.doctor import about_isolator, about_plugins

    for finding in about_plugins(plugin_manager()):
        tell(finding)
    isolator, findings = about_isolator(registry())
    for finding in findings:
        tell(finding)
    if isolator is not None:
        examined.isolator, examined.layers = isolator.name, dict(isolator.probe().layers)


async def _examine_storage(examined: Examined, tell: Tell) -> None:
    from opcode_core.engine.doctor import Finding

    try:
        async with engine() as ready:
            await _examine_providers(ready, examined, tell)
            await _examine_runs(ready, examined, tell)
            examined.readable = True
    except OpcodeError as error:
        tell(Finding("storage", str(error), "name another file with --db-path, or restore a backup"))
    except Usage as error:
        tell(Finding("storage", error.format_message(), "install one, or name another with OPCODE_STORAGE"))


async def _examine_providers(ready: "Engine", examined: Examined, tell: Tell) -> None:
    from opcode_core.engine.doctor import about_providers

    for source in ready.registry.provider_sources:
        provided = await source.overview(ready.storage)
        examined.tools.update({one.id: one.health for one in provided})
        for finding in about_providers(provided):
            tell(finding)


async def _examine_runs(ready: "Engine", examined: Examined, tell: Tell) -> None:
    from opcode_core.engine.doctor import Runs, about_storage

    faults = await about_storage(ready)
    for finding in faults:
        tell(finding)
    with tally("looked at") as progress:
        runs = Runs(ready, [fault.what for fault in faults], progress)
        async for finding in runs.findings():
            tell(finding)
    examined.runs, examined.events, examined.open = runs.runs, runs.events, runs.open


def _show(finding: "Finding") -> None:
    from rich.text import Text

    from opcode_core.logs import printable

    remedy = (f" → {printable(finding.remedy)}", "yellow")
    _line("✗", "red", Text.assemble(printable(finding.what), remedy))


def _say_what_is_fine(examined: Examined) -> None:
    from rich.text import Text

    layers = "; ".join(f"{layer} {state}" for layer, state in examined.layers.items())
    fine: dict[str, str | Text] = {
        "plugins": f"{count(_active(), 'plugin')} loaded",
        "isolator": Text.assemble(f"the isolator {examined.isolator} works: ", (layers, "dim")),
    }
    if examined.tools:
        fine["tools"] = f"{count(len(examined.tools), 'tool server')} known, none of them is down"
    if examined.readable:
        runs, events = count(examined.runs, "run"), count(examined.events, "event")
        fine |= {
            "storage": f"{_where()} is sound",
            "left": f"no run is left behind, {examined.open} not ended yet",
            "messages": "no message is left lying",
        }
        if "storage" not in examined.wrong:
            fine["log"] = f"{runs} with {events}: logs, rows and decisions agree"
    for area, what in fine.items():
        if area not in examined.wrong:
            _line("✓", "green", what)
    if examined.wrong:
        print(f"\n{count(sum(examined.wrong.values()), 'finding')}")


def _line(mark: str, colour: str, what: "Text | str") -> None:
    """One line; on a terminal what goes beyond it stands below its beginning."""
    from rich.table import Table
    from rich.text import Text

    from opcode_core.cli.screen import show

    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_row(Text(mark, colour), what)
    show(line)


def _where() -> str:
    """The storage's URL without a password."""
    return re.sub("//[^/@]*@", "//", settings().storage_url.partition("?")[0])


def _active() -> int:
    return sum(found.state == "active" for found in plugin_manager().found.values())
