"""When to try again."""

from opcode_core.plan import RetryPolicy


def pause_before(policy: RetryPolicy, retry: int, fraction: float) -> float:
    """Seconds to wait before the `retry`-th retry, from 1; `fraction` in [0, 1) spreads it when jitter is on."""
    match policy.backoff:
        case "none":
            return 0.0
        case "constant":
            pause = policy.delay
        case "linear":
            pause = policy.delay * retry
        case _:
            pause = policy.delay * 2.0 ** min(retry - 1, 64)
    if policy.max_delay is not None:
        pause = min(pause, policy.max_delay)
    return pause * fraction if policy.jitter else pause
