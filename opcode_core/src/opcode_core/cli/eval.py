"""`opcode eval`."""

import asyncio
import inspect
from typing import Any

import click

from opcode_core.cli.problems import DONE, Usage
from opcode_core.cli.screen import print_json
from opcode_core.cli.session import JSON, engine, how_to_get, registry
from opcode_core.cli.sources import read_file, read_params
from opcode_core.codec import loads
from opcode_core.suggestions import available, did_you_mean

OFFERED_BY = {"cel": "cel", "jq": "jq", "python": "asteval", "expr": "expr"}
"""Which built-in plugin brings an engine."""


@click.command("eval")
@click.argument("expression", metavar="EXPR")
@click.option("--engine", "name", default="cel", show_default=True, help="The expression's language.")
@click.option(
    "--data", "file", metavar="FILE", help="JSON that the expression sees as `data` (- for standard input)."
)
@click.option(
    "-p",
    "--param",
    "pairs",
    multiple=True,
    metavar="KEY=VALUE",
    help="An input, as `inputs.KEY`; JSON where it is JSON.",
)
@click.option("--run", "run_id", metavar="RUN", help="Over the steps, inputs and context of a run.")
@JSON
def command(
    expression: str, name: str, file: str | None, pairs: tuple[str, ...], run_id: str | None, as_json: bool
) -> int:
    r"""Evaluate an expression as a workflow would, and print what it gives as JSON.

    \b
    opcode eval 'size(data.items) > 3' --data items.json
    opcode eval '.items[] | .price' --engine jq --data items.json
    opcode eval 'steps.fetch.body.total * 2' --run 01a1fd
    """
    result = asyncio.run(_evaluate(expression, name, file, pairs, run_id))
    print_json({"result": result} if as_json else result)
    return DONE


async def _evaluate(
    expression: str, name: str, file: str | None, pairs: tuple[str, ...], run_id: str | None
) -> Any:
    program = _language(name).compile(expression)
    names = await _names(run_id)
    names["inputs"] = {**names["inputs"], **read_params(pairs, None)}
    if file is not None:
        names["data"] = _json(file)
    value = program.evaluate(names)
    return await value if inspect.isawaitable(value) else value


def _language(name: str) -> Any:
    engines = registry().engines
    if name in engines:
        return engines[name]
    if name in OFFERED_BY:
        raise Usage(f"the expression engine '{name}' is not installed ({how_to_get(OFFERED_BY[name])})")
    raise Usage(
        f"there is no expression engine '{name}'; {did_you_mean(name, engines) or available(sorted(engines))}"
    )


async def _names(run_id: str | None) -> dict[str, Any]:
    """What an expression sees: of a run, or of none."""
    from opcode_core.scope import Scope
    from opcode_core.state import RunState
    from opcode_core.stop import Stop

    state = RunState("")
    if run_id is not None:
        async with engine() as ready:
            state = await ready.state((await ready.find(run_id)).id)
    return dict(Scope(state, Stop()).names)


def _json(file: str) -> Any:
    try:
        return loads(read_file(file))
    except ValueError as error:
        raise Usage(f"--data {file}: not JSON: {error}") from None
