"""The picture of a workflow: an SVG where a renderer for it is installed, else text."""

import logging
from dataclasses import dataclass

from markupsafe import Markup

from opcode_core import Engine, OpcodeError
from opcode_core.hosting import Plan, RunState, draw, outline

_log = logging.getLogger("opcode.panel")


@dataclass(frozen=True, slots=True)
class Picture:
    """One of both; `text` is for a terminal's letters."""

    svg: Markup | None = None
    text: str | None = None


async def picture(engine: Engine, plan: Plan, title: str, state: RunState | None = None) -> Picture:
    """Drawn once, however many look at it; a renderer that fails leaves the page to the next one.

    The page says what the workflow is called, so the picture does not.
    """
    renderers = engine.registry.renderers
    diagram = outline(plan, "", state)
    for format_ in ("svg", "ascii"):
        if format_ not in renderers:
            continue
        try:
            drawing = await draw(renderers[format_], diagram)
        except OpcodeError as error:
            _log.warning("the picture of %s cannot be drawn: %s", title, error)
            continue
        text = drawing if isinstance(drawing, str) else drawing.decode("utf-8")
        # A renderer escapes labels; the page's policy runs no script that might be in there.
        return Picture(svg=Markup(text)) if format_ == "svg" else Picture(text=text)  # noqa: S704
    return Picture()
