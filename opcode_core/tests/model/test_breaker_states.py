"""A circuit breaker opens after failures in a row, lets one probe through, and closes on success."""

import pytest

from opcode_core import ErrorCode, OpcodeError
from opcode_core import events as e
from opcode_core.engine.breaker import Breaker, BreakerPolicy

FAILED, TIMED_OUT = ErrorCode.EXECUTION_ERROR, ErrorCode.TIMEOUT_ERROR


@pytest.fixture
def breaker() -> Breaker:
    return Breaker("http.get", BreakerPolicy())


def opened(breaker: Breaker, at: float = 100.0) -> Breaker:
    for _ in range(breaker.policy.failures):
        breaker.enter(at)
        last = breaker.failed(FAILED, at)
    assert last == e.CIRCUIT_BREAKER_OPEN
    return breaker


def refusal(breaker: Breaker, now: float) -> OpcodeError:
    with pytest.raises(OpcodeError) as refused:
        breaker.enter(now)
    assert refused.value.code is ErrorCode.CIRCUIT_OPEN
    return refused.value


def test_five_failures_in_a_row_open_it_for_thirty_seconds(breaker: Breaker):
    assert [breaker.failed(FAILED, 100.0) for _ in range(5)] == [None] * 4 + [e.CIRCUIT_BREAKER_OPEN]
    error = refusal(breaker, 118.0)
    assert error.message == "action http.get failed 5 times in a row; it is tried again in 12 s"
    assert error.details == {"action": "http.get", "failures": 5, "retry_in": 12.0}
    assert not error.retryable
    assert breaker.enter(130.0) == e.CIRCUIT_BREAKER_HALF_OPEN


def test_a_success_starts_the_count_again(breaker: Breaker):
    for _ in range(3):
        for _ in range(4):
            assert breaker.failed(FAILED, 0.0) is None
        assert breaker.succeeded() is None
    assert breaker.enter(0.0) is None


@pytest.mark.parametrize("code", sorted(ErrorCode))
def test_only_failures_of_the_action_count(breaker: Breaker, code: ErrorCode):
    events = [breaker.failed(code, 0.0) for _ in range(5)]
    assert (e.CIRCUIT_BREAKER_OPEN in events) is (code in (FAILED, TIMED_OUT))


def test_half_open_lets_one_probe_through_and_no_second(breaker: Breaker):
    opened(breaker)
    assert breaker.enter(130.0) == e.CIRCUIT_BREAKER_HALF_OPEN
    error = refusal(breaker, 131.0)
    assert "a probe is under way" in error.message
    assert error.details["retry_in"] == 0.0


def test_a_probe_that_succeeds_closes_it(breaker: Breaker):
    opened(breaker).enter(130.0)
    assert breaker.succeeded() == e.CIRCUIT_BREAKER_CLOSED
    assert breaker.enter(130.0) is None
    assert [breaker.failed(FAILED, 131.0) for _ in range(4)] == [None] * 4


def test_a_probe_that_fails_opens_it_for_another_thirty_seconds(breaker: Breaker):
    opened(breaker).enter(130.0)
    assert breaker.failed(TIMED_OUT, 132.0) == e.CIRCUIT_BREAKER_OPEN
    assert "6 times in a row; it is tried again in 29 s" in refusal(breaker, 133.0).message
    assert breaker.enter(162.0) == e.CIRCUIT_BREAKER_HALF_OPEN


@pytest.mark.parametrize("end", [Breaker.left, lambda breaker: breaker.failed(ErrorCode.CANCELLED, 131.0)])
def test_a_probe_that_says_nothing_leaves_the_door_to_the_next(breaker: Breaker, end):
    opened(breaker).enter(130.0)
    end(breaker)
    assert breaker.enter(131.0) == e.CIRCUIT_BREAKER_HALF_OPEN


def test_failures_of_calls_that_began_before_it_opened_do_not_prolong_it(breaker: Breaker):
    opened(breaker)
    assert breaker.failed(FAILED, 110.0) is None
    assert breaker.enter(130.0) == e.CIRCUIT_BREAKER_HALF_OPEN


def test_a_policy_of_its_own():
    breaker = Breaker("mail.send", BreakerPolicy(failures=1, pause=2.0))
    assert breaker.failed(FAILED, 0.0) == e.CIRCUIT_BREAKER_OPEN
    assert "failed 1 times" in refusal(breaker, 1.0).message
    assert breaker.enter(2.0) == e.CIRCUIT_BREAKER_HALF_OPEN
