"""The rows between two layers: which wire runs in which, so that lines only ever cross at right angles."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from opcode_ascii.seats import Wire


@dataclass(slots=True, eq=False)
class Run:
    """A wire's horizontal line, and the columns where it is joined from above and from below."""

    wire: Wire
    uppers: list[int]
    lowers: list[int]
    row: int = -1
    left: int = field(init=False)
    right: int = field(init=False)

    def __post_init__(self) -> None:
        self.left = min([*self.uppers, *self.lowers])
        self.right = max([*self.uppers, *self.lowers])

    @property
    def is_straight(self) -> bool:
        """Whether it needs no row."""
        return self.left == self.right

    def overlaps(self, other: "Run") -> bool:
        """Whether the two would touch in one row."""
        return self.left <= other.right + 1 and other.left <= self.right + 1

    def crosses(self, column: int) -> bool:
        """Whether a line up or down that column crosses this one."""
        return self.left < column < self.right


def put_in_rows(runs: Iterable[Run], width: int) -> tuple[list[Run], int]:
    """The runs with their rows from 0, a run that had to be bent as two, and the number of rows.

    Where one run comes from above in the column in which another leaves downwards, it must be the upper one.
    Among the rows that allow this, those with few crossings are chosen. A bend is within `width` columns if there is
    one that nothing else uses.
    """
    every = list(runs)
    waiting = [run for run in every if not run.is_straight]
    taken = {column for run in every for column in (*run.uppers, *run.lowers)}
    done: list[Run] = []
    while waiting:
        free = [run for run in waiting if not any(_must_be_above(other, run) for other in waiting)]
        if not free:
            bent = min(waiting, key=lambda run: run.right - run.left)
            waiting.remove(bent)
            waiting.extend(_bend(bent, taken, width))
            continue
        run = min(free, key=lambda run: (_regret(run, waiting), run.left))
        waiting.remove(run)
        run.row = 1 + max((other.row for other in done if other.overlaps(run)), default=-1)
        done.append(run)
    straight = [run for run in every if run.is_straight]
    return [*straight, *done], 1 + max((run.row for run in done), default=-1)


def _must_be_above(upper: Run, lower: Run) -> bool:
    if upper is lower:
        return False
    if upper.wire is lower.wire:
        return bool(upper.lowers) and upper.lowers == lower.uppers
    return not set(upper.uppers).isdisjoint(lower.lowers)


def _regret(run: Run, others: Sequence[Run]) -> int:
    """Crossings that come from putting `run` above the others, less those from putting it below them."""
    return sum(
        _crossings(run, other) - _crossings(other, run)
        for other in others
        if other is not run and other.overlaps(run)
    )


def _crossings(upper: Run, lower: Run) -> int:
    return sum(map(lower.crosses, upper.lowers)) + sum(map(upper.crosses, lower.uppers))


def _bend(run: Run, taken: set[int], width: int) -> tuple[Run, Run]:
    """Two runs, joined in a column of their own: the upper ends and the lower ends are then independent."""
    middle = (run.left + run.right) // 2
    column = min((x for x in range(width + len(taken) + 1) if x not in taken), key=lambda x: abs(x - middle))
    taken.add(column)
    return Run(run.wire, run.uppers, [column]), Run(run.wire, [column], run.lowers)
