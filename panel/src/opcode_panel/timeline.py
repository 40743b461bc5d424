"""When each step ran, with its tries and waits, as bars on one line of time."""

from dataclasses import dataclass

from opcode_core.hosting import RunState

MOST = 120
WIDTH = 1000.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One step. `x` and `width` are thousandths of the run's time."""

    step_id: str
    status: str
    x: float
    width: float
    milliseconds: float
    attempts: int


def timeline(state: RunState, now: float) -> list[Bar]:
    """The steps that began, in the order in which they did; of very many the last."""
    begun = [(step_id, step) for step_id, step in state.steps.items() if step.started_at is not None]
    if not begun or state.started_at is None:
        return []
    end = max([state.ended_at or now, *(step.ended_at or now for _, step in begun)])
    whole = max(end - state.started_at, 0.001)
    bars = []
    for step_id, step in sorted(begun, key=lambda each: each[1].started_at or 0.0)[-MOST:]:
        start = (step.started_at or 0.0) - state.started_at
        length = max((step.ended_at or end) - (step.started_at or 0.0), 0.0)
        bars.append(
            Bar(
                step_id,
                step.status,
                round(start / whole * WIDTH, 1),
                round(max(length / whole * WIDTH, 3.0), 1),
                length * 1000,
                step.attempt,
            )
        )
    return bars
