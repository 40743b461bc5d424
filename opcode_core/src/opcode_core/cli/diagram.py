"""`opcode diagram`."""

import asyncio
import sys

import click

from opcode_core.cli.problems import DONE, Usage
from opcode_core.cli.screen import print_json
from opcode_core.cli.session import JSON, engine, how_to_get, providers_recalled, registry
from opcode_core.cli.sources import read_source
from opcode_core.contracts.renderer import Renderer
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.logs import printable
from opcode_core.plan import Plan
from opcode_core.state import RunState

DRAWN_BY = {
    "ascii": "ascii",
    "mermaid": "mermaid",
    "image": "graphviz",
    "svg": "graphviz",
    "dot": "graphviz",
}
"""Which built-in plugin draws a format."""
ENDINGS = {
    ".png": "image",
    ".svg": "svg",
    ".dot": "dot",
    ".gv": "dot",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
}
"""The format that the name of a file asks for."""


@click.command("diagram")
@click.argument("what", metavar="FILE|TEMPLATE|RUN")
@click.option(
    "--format",
    "format_",
    help="ascii, mermaid, image (PNG), svg, dot, or that of another renderer. [default: as FILE ends, else ascii]",
)
@click.option("--output", "-o", metavar="FILE", help="Write to a file instead of standard output.")
@JSON
def command(what: str, format_: str | None, output: str | None, as_json: bool) -> int:
    """Draw a workflow: from a file, a template, or a run with what became of its steps."""
    from pathlib import Path

    from opcode_core.outline import outline

    format_ = format_ or ENDINGS.get(Path(output or "").suffix.lower(), "ascii")
    renderer = _renderer(format_)
    title, plan, state = asyncio.run(_find(what))
    drawing = renderer.render(outline(plan, title, state))
    if output is not None:
        _write(output, drawing)
    elif as_json:
        print_json({"format": format_, "diagram": drawing if isinstance(drawing, str) else _base64(drawing)})
    else:
        _print(drawing)
    return DONE


def _renderer(format_: str) -> Renderer:
    conflict = registry().conflict("diagram renderer", format_)
    if conflict:
        raise Usage(conflict)
    renderer = registry().renderers.get(format_)
    if renderer is not None:
        return renderer
    if format_ in DRAWN_BY:
        raise Usage(f"no installed plugin draws '{format_}' ({how_to_get(DRAWN_BY[format_])})")
    known = ", ".join(sorted({*registry().renderers, *DRAWN_BY}))
    raise Usage(f"no installed plugin draws '{format_}'; formats are {known}")


async def _find(what: str) -> tuple[str, Plan, RunState | None]:
    """A file, else a template, else a run."""
    from opcode_core.compiler import make_plan

    source = read_source(what)
    if source is not None:
        await providers_recalled()
        return ("workflow" if what == "-" else what), make_plan(source, registry()), None
    async with engine() as ready:
        template = await ready.storage.template(what)
        if template is not None:
            return f"{template.name} v{template.version}", await ready.plan(template.definition), None
        try:
            record = await ready.find(what)
        except OpcodeError as error:
            if error.code is not ErrorCode.NOT_FOUND:
                raise
            message = f"there is no file, template or run '{what}'"
            raise OpcodeError(ErrorCode.NOT_FOUND, message) from None
        state = await ready.state(record.id)
        return state.name or record.id, await ready.plan_of(state), state


def _print(drawing: str | bytes) -> None:
    if isinstance(drawing, str):
        print(printable(drawing))
        return
    if sys.stdout.isatty():
        raise Usage("a picture cannot be shown here; write it to a file with -o")
    sys.stdout.buffer.write(drawing)
    sys.stdout.buffer.flush()


def _write(path: str, drawing: str | bytes) -> None:
    from pathlib import Path

    try:
        Path(path).write_bytes(drawing.encode("utf-8") if isinstance(drawing, str) else drawing)
    except OSError as error:
        raise Usage(f"{path} cannot be written: {error.strerror}") from None


def _base64(drawing: bytes) -> str:
    import base64

    return base64.b64encode(drawing).decode("ascii")
