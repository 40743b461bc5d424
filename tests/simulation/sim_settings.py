"""What kind of world a history has. Few histories have every kind of trouble: so each kind is also met alone."""

from random import Random
from typing import Any


def settings_of(random: Random) -> dict[str, Any]:
    """Chosen by chance; times in virtual seconds.

    `order`: how the loop chooses what runs next. `slow`, `before`, `after`: see `Faults`. `crashes`: processes
    that die. `poison`: the part of actions that kill their process. `dead_seen`: whether others notice that before its lease is over. `machines`: processes at once. `loner`: the second of them only
    looks after its own runs. `skew`: how far its clock is ahead.
    `pauses`: processes that stand still for a while. `jumps`: the clock is set. `restarts`: processes are shut
    down. `down`: for how long. `people`: who says things to runs. `size`: of workflows. `chaos`: how long all this goes on.
    `breaker`: failures in a row that open one. `snapshots`: events between two.
    """

    def some(*values: Any) -> Any:
        return random.choice(values)

    settings = {
        "order": some("fifo", "shuffle", "pick"),
        "slow": some(0.0, 0.3, 0.6),
        "before": some(0.0, 0.0, 0.01, 0.05),
        "after": some(0.0, 0.0, 0.01, 0.05),
        "crashes": some(0, 1, 3),
        "poison": some(0.0, 0.0, 0.0, 0.15),
        "dead_seen": some(False, True),
        "machines": some(1, 1, 2),
        "loner": some(False, False, True),
        "skew": some(0.0, 0.0, 3.0),
        "pauses": some(False, False, True),
        "jumps": some(False, False, True),
        "restarts": some(False, True),
        "down": (0.0, 0.1, 2.0, 10.0, 30.0),
        "linger": some(0.0, 0.2, 1.0, 1.0),
        "pool": some(1, 3, 10),
        "recovery": some("resume", "resume", "resume", "suspend"),
        "runs": some(1, 2, 4),
        "size": some(2, 4, 7),
        "people": some(0, 1, 3),
        "chaos": some(5.0, 20.0, 60.0),
        "breaker": some(5, 1000),
        "snapshots": some(3, 10, 1000),
    }
    if settings["poison"]:  # so that it kills more than once or twice
        settings |= {"chaos": 90.0, "dead_seen": True, "down": (0.0, 0.1)}
    return settings
