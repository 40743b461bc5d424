"""`opcode examples`: workflows to look at, to try and to take along."""

import asyncio
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from opcode_core.cli.example_files import (
    STUB,
    Example,
    all_examples,
    copy_files,
    example,
    made,
    stub_module,
    working_in,
)
from opcode_core.cli.problems import DONE, FAILED, Usage, say
from opcode_core.cli.problems import SUSPENDED as EXIT_SUSPENDED
from opcode_core.cli.screen import print_json, show
from opcode_core.cli.session import JSON, plugin_manager
from opcode_core.cli.sources import read_params

if TYPE_CHECKING:
    from opcode_core.events import Event
    from opcode_core.state import RunState


@click.group("examples")
def command() -> None:
    """Workflows to look at, to try without any service, and to take along."""


@command.command("list")
@JSON
def list_(as_json: bool) -> int:
    """Every example, and what it is for."""
    rows = [{"name": one.name, **one.workflow["metadata"]} for one in all_examples()]
    if as_json:
        print_json({"examples": rows})
        return DONE
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    for column in ("name", "category", "summary"):
        table.add_column(column, style="cyan" if column == "name" else "", no_wrap=column != "summary")
    for row in sorted(rows, key=lambda row: (row["category"], row["name"])):
        table.add_row(row["name"], row["category"], row["summary"])
    show(table)
    return DONE


@command.command("show")
@click.argument("name")
@JSON
def show_(name: str, as_json: bool) -> int:
    """What it does, its params and scenarios, and where its files are."""
    one = example(name)
    if as_json:
        scenarios = {key: scenario["about"] for key, scenario in one.scenarios["scenarios"].items()}
        print_json(
            {"name": name, "folder": str(one.folder), "scenarios": scenarios, "workflow": one.workflow}
        )
        return DONE
    text = (one.folder / "README.md").read_text("utf-8")
    if sys.stdout.isatty():
        from rich.markdown import Markdown

        show(Markdown(text))
    else:
        print(text, end="")
    print(f"\nfiles: {one.folder}")
    return DONE


@command.command("copy")
@click.argument("name")
@click.argument("folder", required=False)
def copy(name: str, folder: str | None) -> int:
    """Copy its files to FOLDER (by default one of its name here), to run and to change them."""
    one, target = example(name), Path(folder or name)
    if target.exists():
        raise Usage(f"{target} is there already; name another folder")
    copy_files(one.folder, target)
    shutil.copy2(one.folder.parent / STUB, target / STUB)
    print(f"{target}: run it with `cd {target}; opcode run workflow.json`")
    return DONE


@command.command("run")
@click.argument("name")
@click.option("--scenario", metavar="NAME", help="How the service behaves; the first one by default.")
@click.option(
    "--answer",
    "answers",
    multiple=True,
    metavar="STEP=OPTION",
    help="A decision; as a JSON object with its data.",
)
@click.option(
    "-p", "--param", "pairs", multiple=True, metavar="KEY=VALUE", help="An input, as for `opcode run`."
)
@click.option("--yes", "-y", is_flag=True, help="Ask nothing: decide as the scenario does.")
@click.option(
    "--folder", metavar="FOLDER", help="Work there, and leave what is written; else in a temporary folder."
)
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@JSON
def run(
    name: str,
    scenario: str | None,
    answers: tuple[str, ...],
    pairs: tuple[str, ...],
    yes: bool,
    folder: str | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Run it against a built-in service; nothing outside is touched, and waits take no time.

    Decisions are asked at the terminal; where there is none, they are made as the scenario does.
    """
    one = example(name)
    chosen, played = one.scenario(scenario)
    given, params = _answers(answers), {**played.get("params", {}), **read_params(pairs, None)}
    asking = sys.stdin.isatty() and not yes
    with working_in(one, folder) as here:
        state = _rehearsed(one, chosen, params, given, asking=asking, quiet=quiet or as_json)
        files = made(one.folder, here)
    if as_json:
        print_json({"status": state.status, "output": state.output, "error": state.error, "files": files})
    else:
        _report(one, chosen, state, files)
    return {"completed": DONE, "suspended": EXIT_SUSPENDED}.get(state.status, FAILED)


def _rehearsed(
    one: Example,
    scenario: str,
    params: dict[str, Any],
    given: dict[str, list[Any]],
    *,
    asking: bool,
    quiet: bool,
) -> "RunState":
    """Run it in the working folder against the service."""
    from opcode_core.cli.event_lines import Lines
    from opcode_core.cli.example_people import People
    from opcode_core.cli.rehearsal import rehearse
    from opcode_core.compiler import make_plan
    from opcode_core.state import RunState

    people = People(one.scenario(scenario)[1], given, asking=asking, quiet=quiet)
    plugins, stub = plugin_manager(), stub_module()
    lines = Lines(make_plan(one.workflow, plugins.registry()), RunState(""))
    with stub.serving(stub.Stub(stub.routes_of(one.scenarios, scenario))) as address:
        shown = _nothing if quiet else lines.show
        return asyncio.run(rehearse(one, {"base_url": address, **params}, people, plugins, shown))


def _nothing(_: "Event") -> None:
    """Shows no event."""


def _answers(pairs: tuple[str, ...]) -> dict[str, list[Any]]:
    """`STEP=OPTION`, or `STEP={"choice": …, "data": …}`; the same step again for its next question."""
    answers: dict[str, list[Any]] = {}
    for pair in pairs:
        step, equals, said = pair.partition("=")
        if not equals or not step or not said:
            raise Usage(f"--answer {pair!r}: write STEP=OPTION")
        value = read_params((f"answer={said}",), None)["answer"]
        answers.setdefault(step, []).append(value if isinstance(value, dict) else said)
    return answers


def _report(one: Example, scenario: str, state: "RunState", files: list[str]) -> None:
    from opcode_core.answers import error_answer

    if state.status == "completed":
        print_json(state.output)
        sys.stdout.flush()
    elif state.error is not None:
        say(error_answer(state.error))
    else:
        say(f"the run is {state.status}: the scenario says no more")
    if files:
        print(f"written: {', '.join(files)}", file=sys.stderr)
    others = [name for name in one.scenarios["scenarios"] if name != scenario]
    if others:
        print(f"see also: opcode examples run {one.name} --scenario {'|'.join(others)}", file=sys.stderr)
