"""Whatever an action raises, as an error that a person can read."""

import asyncio
from collections.abc import Iterable

from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.unfinished import Unfinished


class StepFailed(Exception):  # noqa: N818
    """A step failed and nothing on it said what to do about that; `error` is what went wrong."""

    def __init__(self, error: OpcodeError) -> None:
        super().__init__(error.message)
        self.error = error


class Halted(Exception):  # noqa: N818
    """No new step may begin in this place."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Parked(Exception):  # noqa: N818
    """Here something waits, and the log says for what; the same call goes on when it is over.

    Args:
        outside: only somebody else can end the wait: with a decision, a signal, or a run of theirs.
        wakes: how often the run had been woken when this was so; after one more it may not be so.
    """

    def __init__(self, outside: bool, wakes: int) -> None:
        super().__init__("waits")
        self.outside = outside
        self.wakes = wakes


def all_parked(waits: Iterable[Parked]) -> Parked:
    """Several places that wait, seen as one."""
    waits = list(waits)
    return Parked(all(one.outside for one in waits), min(one.wakes for one in waits))


class LogFailed(Exception):  # noqa: N818
    """The storage refused the log, so the run must not go on; `error` says why."""

    def __init__(self, error: OpcodeError) -> None:
        super().__init__(error.message)
        self.error = error


def is_own(raised: BaseException) -> bool:
    """Whether an action raised it by itself: it was not cancelled, and the program does not end."""
    if isinstance(raised, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and not task.cancelling()
    return isinstance(raised, Exception | SystemExit) and not isinstance(
        raised, Halted | LogFailed | Parked | Unfinished
    )


def as_error(raised: BaseException, what: str) -> OpcodeError:
    """`raised` itself when it was meant for the caller, else EXECUTION_ERROR in plain words."""
    if isinstance(raised, OpcodeError):
        return raised
    if isinstance(raised, TimeoutError):
        return OpcodeError(
            ErrorCode.TIMEOUT_ERROR, f"{what} timed out" + (f": {raised}" if str(raised) else "")
        )
    if isinstance(raised, asyncio.CancelledError):
        return OpcodeError(ErrorCode.CANCELLED, f"{what} was cancelled from inside")
    kind = type(raised).__name__
    text = str(raised)[:2000]
    message = f"{what} raised {kind}: {text}" if text else f"{what} raised {kind}"
    return OpcodeError(ErrorCode.EXECUTION_ERROR, message, details={"exception": kind})


def exhausted(error: OpcodeError, retries: int) -> OpcodeError:
    """What a step ends with when its last retry failed too."""
    return OpcodeError(
        ErrorCode.RETRY_EXHAUSTED,
        f"failed {retries + 1} times, last with {error.code}: {error.message}",
        details={"retries": retries, "cause": error.to_dict()},
        step_id=error.step_id,
    )
