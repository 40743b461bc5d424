"""What happened in many histories."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Report:
    """Counts, and the longest times in seconds.

    Attributes:
        kills: by the place of death.
        interruptions: how often a run was found that had been going on when its process died.
        set_aside: runs whose process died too often without their coming any further.
        recovery: from a restart until a run that was interrupted goes on.
        takeover: from a death until nothing belongs to the dead process any more.
        end: from the last restart until a run has ended, without the waits of its own.
    """

    histories: int = 0
    runs: int = 0
    restarts: int = 0
    calls: int = 0
    interruptions: int = 0
    set_aside: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    recovery: float = 0.0
    takeover: float = 0.0
    end: float = 0.0

    def add(self, other: "Report") -> None:
        """Take in another one."""
        for name in ("histories", "runs", "restarts", "calls", "interruptions", "set_aside", "kills"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("recovery", "takeover", "end"):
            setattr(self, name, max(getattr(self, name), getattr(other, name)))

    def __str__(self) -> str:
        places = [f"  {count:6} {place}" for place, count in self.kills.most_common()]
        return "\n".join([
            f"{self.kills.total()} kills in {self.histories} histories:",
            *places,
            (f"{self.runs} runs, interrupted {self.interruptions} times, with {self.calls} calls of actions;"
            f" {self.set_aside} were set aside"),
            (f"{self.restarts} starts; at the latest a run went on after {self.recovery:.1f} s, was taken over after"
            f" {self.takeover:.1f} s, and had ended after {self.end:.1f} s"),
        ])  # fmt: skip
