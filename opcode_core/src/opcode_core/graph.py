"""The order of steps: who waits for whom, and that it comes to an end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opcode_core.definition import StepModel


@dataclass(frozen=True, slots=True)
class Graph:
    """Dependencies by index.

    Attributes:
        waits: for each step, the steps that must end first.
        owners: for a step that is named as a fallback, the steps that it stands in for.
    """

    waits: tuple[tuple[int, ...], ...]
    owners: Mapping[int, tuple[int, ...]]

    def children(self) -> tuple[tuple[int, ...], ...]:
        """For each step, the steps that wait for it."""
        children: list[list[int]] = [[] for _ in self.waits]
        for index, before in enumerate(self.waits):
            for other in before:
                children[other].append(index)
        return tuple(tuple(found) for found in children)

    def earlier(self) -> list[int]:
        """For each step, all that it waits for, directly or not, as bits; there is no cycle."""
        children, left = self.children(), [len(before) for before in self.waits]
        earlier = [0] * len(left)
        ready = [index for index, count in enumerate(left) if not count]
        while ready:
            index = ready.pop()
            with_it = earlier[index] | 1 << index
            for child in children[index]:
                earlier[child] |= with_it
                left[child] -= 1
                if not left[child]:
                    ready.append(child)
        return earlier


def build_graph(steps: Sequence[StepModel]) -> Graph:
    """Dependencies as written, and those that follow from fallbacks.

    A fallback waits for the steps that it stands in for, and whoever waits for one of those
    waits for the fallback too: only then is it known whose output counts.
    """
    index = {step.id: i for i, step in enumerate(steps)}
    waits = [dict.fromkeys(index[name] for name in step.depends_on if name in index) for step in steps]
    owners: dict[int, list[int]] = {}
    for i, step in enumerate(steps):
        if step.on_error and step.on_error.fallback_step in index:
            owners.setdefault(index[step.on_error.fallback_step], []).append(i)
    spreading = bool(owners)
    while spreading:  # a fallback may have a fallback of its own
        spreading = False
        for fallback, stood_for in owners.items():
            for i, before in enumerate(waits):
                if i != fallback and fallback not in before and not before.keys().isdisjoint(stood_for):
                    before[fallback] = None
                    spreading = True
    for fallback, stood_for in owners.items():
        waits[fallback].update(dict.fromkeys(stood_for))
    return Graph(tuple(tuple(before) for before in waits), {i: tuple(found) for i, found in owners.items()})


def find_cycle(waits: Sequence[Sequence[int]]) -> list[int] | None:
    """A cycle as indexes in the order of running, first and last the same, or None."""
    unvisited, on_path, done = 0, 1, 2
    state = [unvisited] * len(waits)
    for start in range(len(waits)):
        if state[start] != unvisited:
            continue
        path = [(start, iter(waits[start]))]
        state[start] = on_path
        while path:
            node, rest = path[-1]
            following = next(rest, None)
            if following is None:
                state[node] = done
                path.pop()
            elif state[following] == on_path:
                nodes = [index for index, _ in path]
                return [following, *reversed(nodes[nodes.index(following) :])]
            elif state[following] == unvisited:
                state[following] = on_path
                path.append((following, iter(waits[following])))
    return None
