import collections

import pytest

_counts = collections.defaultdict(collections.Counter)


@pytest.fixture
def tally():
    """Count outcomes for the summary: tally(who, outcome)."""

    def count(who, outcome):
        _counts[who][outcome.state] += 1

    return count


def pytest_terminal_summary(terminalreporter):
    for who, states in _counts.items():
        found = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
        terminalreporter.write_line(f"isolation, {who}: {found}")
