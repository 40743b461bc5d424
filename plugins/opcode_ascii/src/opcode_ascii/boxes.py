"""One node as a picture: a box, or a frame around what is inside it."""

from opcode_ascii.picture import DOUBLE, PLAIN, ROUND, Picture, above, beside, boxed, left_aligned, picture
from opcode_ascii.text import clean, fit
from opcode_core import Lane, Node, format_duration

TAGS = {
    "completed": "[OK]",
    "failed": "[FAIL]",
    "cancelled": "[FAIL]",
    "running": "[RUN]",
    "suspended": "[WAIT]",
    "pending": "[PEND]",
    "scheduled": "[PEND]",
    "skipped": "[SKIP]",
    "retrying": "[RETRY]",
}
SIGNS = {"condition": "◇ ", "reasoning": "⬡ ", "wait": "◷ ", "loop": "↻ ", "parallel": "⫴ "}
BORDERS = {"loop": DOUBLE, "parallel": DOUBLE, "wait": ROUND}


def node_picture(node: Node, columns: int) -> Picture:
    """The node in at most `columns` columns, as far as what is inside it allows."""
    if node.kind in ("start", "end"):
        return picture([f"({node.label})"])
    inside = max(columns - 4, 4)
    rows = [fit(SIGNS.get(node.kind, "") + clean(node.label), inside)]
    if node.detail:
        rows.append(fit(clean(node.detail), inside))
    if node.status is not None:
        rows.append(fit(_how_it_went(node), inside))
    content = picture(rows)
    if node.lanes:
        content = left_aligned([content, picture([""]), _lanes(node.lanes, inside)])
    return boxed(content, BORDERS.get(node.kind, PLAIN))


def _how_it_went(node: Node) -> str:
    tag = TAGS.get(node.status or "", f"[{(node.status or '').upper()}]")
    return tag if node.duration is None else f"{tag} {format_duration(node.duration)}"


def _lanes(lanes: tuple[Lane, ...], columns: int) -> Picture:
    """Side by side where they fit, else one below the other."""
    share = max((columns - 2 * (len(lanes) - 1)) // len(lanes), 16)
    side_by_side = beside([_lane(lane, share) for lane in lanes])
    if side_by_side.width <= columns:
        return side_by_side
    return left_aligned([_lane(lane, columns) for lane in lanes])


def _lane(lane: Lane, columns: int) -> Picture:
    pieces = [picture([fit(clean(lane.label), columns)])]
    for index, node in enumerate(lane.nodes):
        if index:
            pieces.append(picture(["│"]))
        pieces.append(node_picture(node, columns))
    return above(pieces)
