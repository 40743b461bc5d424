"""Links that are drawn as one line: everything on its upper side leads to everything on its lower side.

Drawing links one by one would cross a fan-out of forty with a fan-in of forty 1,600 times. A net never joins
another net, so a person who follows a line arrives only where a link leads.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from opcode_ascii.graph import Link


@dataclass(frozen=True, slots=True)
class Net:
    """All of `sources` lead to all of `targets`."""

    sources: tuple[int, ...]
    targets: tuple[int, ...]
    label: str = ""
    fallback: bool = False


def nets_of(links: Iterable[Link]) -> list[Net]:
    """Few nets that cover every link exactly once."""
    styles: dict[tuple[str, bool], list[tuple[int, int]]] = defaultdict(list)
    for link in links:
        styles[link.label, link.fallback].append((link.source, link.target))
    return sorted(
        (
            Net(sources, targets, label, fallback)
            for (label, fallback), pairs in styles.items()
            for sources, targets in _cover(pairs)
        ),
        key=lambda net: (net.sources, net.targets),
    )


def _cover(pairs: Sequence[tuple[int, int]]) -> Iterable[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Complete sets of pairs: alike targets and alike sources are taken together, then the largest stars first."""
    target_classes = _classes([(target, source) for source, target in pairs])
    class_of = {target: i for i, (targets, _) in enumerate(target_classes) for target in targets}
    source_classes = _classes(list(dict.fromkeys((source, class_of[target]) for source, target in pairs)))
    open_up = {i: set(reached) for i, (_, reached) in enumerate(source_classes)}
    open_down: dict[int, set[int]] = defaultdict(set)
    for i, reached in open_up.items():
        for j in reached:
            open_down[j].add(i)
    sources = [members for members, _ in source_classes]
    targets = [members for members, _ in target_classes]

    def weight(side: int, i: int) -> int:
        if side:
            return len(targets[i]) * sum(len(sources[j]) for j in open_down[i])
        return len(sources[i]) * sum(len(targets[j]) for j in open_up[i])

    queue = [(-weight(0, i), 0, i) for i in open_up] + [(-weight(1, i), 1, i) for i in open_down]
    heapq.heapify(queue)
    while queue:
        promised, side, i = heapq.heappop(queue)
        current = weight(side, i)
        if not current:
            continue
        if current < -promised:
            heapq.heappush(queue, (-current, side, i))
            continue
        here, there = (open_down, open_up) if side else (open_up, open_down)
        others = sorted(here.pop(i))
        here[i] = set()
        for j in others:
            there[j].discard(i)
        centre, rest = (targets, sources) if side else (sources, targets)
        around = tuple(sorted(member for j in others for member in rest[j]))
        yield (around, centre[i]) if side else (centre[i], around)


def _classes(pairs: Sequence[tuple[int, int]]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """The first members of the pairs, together where they have the same partners; and those partners."""
    partners: dict[int, list[int]] = defaultdict(list)
    for one, other in pairs:
        partners[one].append(other)
    alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for one, others in partners.items():
        alike[tuple(sorted(others))].append(one)
    return [(tuple(sorted(members)), others) for others, members in alike.items()]
