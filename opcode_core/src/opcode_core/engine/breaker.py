"""A circuit breaker: an action that keeps failing is left alone for a while."""

import sys
from dataclasses import dataclass

from opcode_core import events as e
from opcode_core.errors import ErrorCode, OpcodeError

_COUNTED = frozenset({ErrorCode.EXECUTION_ERROR, ErrorCode.TIMEOUT_ERROR})


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """After how many failures in a row it opens, and for how many seconds."""

    failures: int = 5
    pause: float = 30.0


NEVER = BreakerPolicy(failures=sys.maxsize)
"""One that does not open."""


class Breaker:
    """The breaker of one action. Each method gives the event type to record, or None."""

    __slots__ = ("action", "failures", "opened_at", "policy", "probing")

    def __init__(self, action: str, policy: BreakerPolicy) -> None:
        self.action = action
        self.policy = policy
        self.failures = 0
        self.opened_at: float | None = None
        self.probing = False

    def enter(self, now: float) -> str | None:
        """Before a call.

        Raises:
            OpcodeError: CIRCUIT_OPEN while it is open, or half open with its one probe under way.
        """
        if self.opened_at is None:
            return None
        left = self.opened_at + self.policy.pause - now
        if left > 0 or self.probing:
            wait = f"it is tried again in {left:.0f} s" if left > 0 else "a probe is under way"
            raise OpcodeError(
                ErrorCode.CIRCUIT_OPEN,
                f"action {self.action} failed {self.failures} times in a row; {wait}",
                details={"action": self.action, "failures": self.failures, "retry_in": max(left, 0.0)},
            )
        self.probing = True
        return e.CIRCUIT_BREAKER_HALF_OPEN

    def succeeded(self) -> str | None:
        """After a call that went well."""
        was_open = self.opened_at is not None
        self.failures, self.opened_at, self.probing = 0, None, False
        return e.CIRCUIT_BREAKER_CLOSED if was_open else None

    def failed(self, code: ErrorCode, now: float) -> str | None:
        """After a call that failed."""
        self.probing = False
        if code not in _COUNTED:
            return None
        self.failures += 1
        half_open = self.opened_at is not None and now >= self.opened_at + self.policy.pause
        if half_open or (self.opened_at is None and self.failures >= self.policy.failures):
            self.opened_at = now
            return e.CIRCUIT_BREAKER_OPEN
        return None

    def left(self) -> None:
        """After a call that was cancelled: it says nothing about the action."""
        self.probing = False
