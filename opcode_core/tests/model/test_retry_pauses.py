"""How long a failed step waits before it is tried again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcode_core.engine.retry import pause_before
from opcode_core.plan import RetryPolicy

BACKOFFS = ("none", "constant", "linear", "exponential")


@pytest.mark.parametrize(
    ("backoff", "pauses"),
    [
        ("none", [0, 0, 0, 0]),
        ("constant", [2, 2, 2, 2]),
        ("linear", [2, 4, 6, 8]),
        ("exponential", [2, 4, 8, 16]),
    ],
)
def test_the_pause_before_each_retry(backoff: str, pauses: list[float]):
    assert [pause_before(RetryPolicy(4, backoff, 2.0), n, 0.5) for n in (1, 2, 3, 4)] == pauses


@pytest.mark.parametrize(("backoff", "pauses"), [("linear", [2, 4, 5, 5]), ("exponential", [2, 4, 5, 5])])
def test_a_pause_is_capped(backoff: str, pauses: list[float]):
    assert [pause_before(RetryPolicy(4, backoff, 2.0, 5.0), n, 0.5) for n in (1, 2, 3, 4)] == pauses


def test_jitter_spreads_the_whole_pause_after_the_cap():
    policy = RetryPolicy(4, "exponential", 2.0, 5.0, jitter=True)
    assert [pause_before(policy, 9, fraction) for fraction in (0.0, 0.5)] == [0.0, 2.5]


def test_the_ten_thousandth_retry_is_still_a_number():
    assert pause_before(RetryPolicy(10_000, "exponential", 1.0, 30.0), 10_000, 0.0) == 30.0


@given(
    st.builds(
        RetryPolicy,
        backoff=st.sampled_from(BACKOFFS),
        delay=st.floats(0, 1e9),
        max_delay=st.none() | st.floats(0, 1e9),
        jitter=st.booleans(),
    ),
    st.integers(1, 10_000),
    st.floats(0, 1, exclude_max=True),
)
def test_a_pause_is_never_negative_nor_above_the_cap(policy: RetryPolicy, retry: int, fraction: float):
    pause = pause_before(policy, retry, fraction)
    assert 0 <= pause < float("inf")
    assert policy.max_delay is None or pause <= policy.max_delay
