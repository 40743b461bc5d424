"""`opcode diagram`."""

import asyncio
import sys

import click

from opcode_core.cli.problems import DONE, Usage
from opcode_core.cli.session import JSON, engine, print_json, read_source
from opcode_core.engine.engine import Engine
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.plan import Plan
from opcode_core.state import RunState
from opcode_core.suggestions import available


@click.command("diagram")
@click.argument("what", metavar="FILE|TEMPLATE|RUN")
@click.option("--format", "format_", default="ascii", show_default=True, help="Of an installed renderer.")
@click.option("--output", "-o", metavar="FILE", help="Write to a file instead of standard output.")
@JSON
def command(what: str, format_: str, output: str | None, as_json: bool) -> int:
    """Draw a workflow: from a file, a template, or a run with what became of its steps."""
    return asyncio.run(_diagram(what, format_, output, as_json=as_json))


async def _diagram(what: str, format_: str, output: str | None, *, as_json: bool) -> int:
    from opcode_core.outline import outline

    async with engine() as ready:
        renderer = ready.registry.renderers.get(format_)
        if renderer is None:
            offered = available(sorted(ready.registry.renderers))
            raise Usage(f"no installed plugin draws '{format_}'; {offered} (ascii: pip install opcode-ascii)")
        title, plan, state = await _find(ready, what)
        drawing = renderer.render(outline(plan, title, state))
    if output is not None:
        _write(output, drawing)
    elif as_json:
        print_json({"format": format_, "diagram": drawing if isinstance(drawing, str) else _base64(drawing)})
    elif isinstance(drawing, bytes):
        sys.stdout.buffer.write(drawing)
    else:
        print(drawing)
    return DONE


async def _find(engine: Engine, what: str) -> tuple[str, Plan, RunState | None]:
    """A file, else a template, else a run."""
    source = read_source(what)
    if source is not None:
        return what, engine.plan(source), None
    template = await engine.storage.template(what)
    if template is not None:
        return f"{template.name} v{template.version}", engine.plan(template.definition), None
    try:
        record = await engine.find(what)
    except OpcodeError as error:
        if error.code is not ErrorCode.NOT_FOUND:
            raise
        raise OpcodeError(ErrorCode.NOT_FOUND, f"there is no file, template or run '{what}'") from None
    state = await engine.state(record.id)
    return state.name or record.id, await engine.plan_of(state), state


def _write(path: str, drawing: str | bytes) -> None:
    from pathlib import Path

    try:
        Path(path).write_bytes(drawing.encode("utf-8") if isinstance(drawing, str) else drawing)
    except OSError as error:
        raise Usage(f"{path} cannot be written: {error.strerror}") from None


def _base64(drawing: bytes) -> str:
    import base64

    return base64.b64encode(drawing).decode("ascii")
