"""The graph of steps: who waits for whom, in any definition, and what fallbacks add to it."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcode_core import ErrorCode
from opcode_core.definition import ActionStep, OnError
from opcode_core.graph import Graph, build_graph, find_cycle
from opcode_core.tests.model_bench import issues, plan, step


def steps_of(waits: Sequence[Sequence[int]], fallbacks: dict[int, int]) -> list[ActionStep]:
    return [
        ActionStep(
            id=f"s{i}",
            action="t.echo",
            depends_on=[f"s{other}" for other in before],
            on_error=OnError(strategy="fallback_step", fallback_step=f"s{fallbacks[i]}")
            if i in fallbacks
            else None,
        )
        for i, before in enumerate(waits)
    ]


@st.composite
def dags(draw: st.DrawFn) -> list[list[int]]:
    size = draw(st.integers(1, 9))
    return [
        draw(st.lists(st.integers(0, max(i - 1, 0)), max_size=3, unique=True)) if i else []
        for i in range(size)
    ]


def reachable(waits: Sequence[Sequence[int]], start: int) -> set[int]:
    found: set[int] = set()
    pending = list(waits[start])
    while pending:
        one = pending.pop()
        if one not in found:
            found.add(one)
            pending.extend(waits[one])
    return found


@given(dags())
def test_what_is_earlier_is_what_can_be_reached(waits: list[list[int]]):
    graph = build_graph(steps_of(waits, {}))
    assert graph.waits == tuple(tuple(before) for before in waits)
    for i, bits in enumerate(graph.earlier()):
        assert {j for j in range(len(waits)) if bits >> j & 1} == reachable(waits, i)
    for i, children in enumerate(graph.children()):
        assert set(children) == {j for j, before in enumerate(waits) if i in before}


@given(st.lists(st.lists(st.integers(0, 6), max_size=3, unique=True), min_size=7, max_size=7))
def test_a_cycle_is_found_when_there_is_one_and_each_of_its_steps_waits_for_the_one_before(
    waits: list[list[int]],
):
    cycle = find_cycle(waits)
    assert (cycle is not None) is any(i in reachable(waits, i) for i in range(7))
    if cycle is not None:
        assert cycle[0] == cycle[-1]
        assert len(set(cycle)) == len(cycle) - 1
        assert all(before in waits[after] for before, after in pairwise(cycle))


@given(dags(), st.dictionaries(st.integers(0, 8), st.integers(0, 8), max_size=3))
def test_whoever_waits_for_a_step_waits_for_its_fallback_too(waits: list[list[int]], chosen: dict[int, int]):
    fallbacks = {i: f for i, f in chosen.items() if i != f and max(i, f) < len(waits)}
    graph: Graph = build_graph(steps_of(waits, fallbacks))
    for owner, fallback in fallbacks.items():
        assert owner in graph.waits[fallback]
        assert owner in graph.owners[fallback]
        for i, before in enumerate(graph.waits):
            if owner in before and i != fallback and i not in graph.owners[fallback]:
                assert fallback in before or owner in graph.owners.get(i, ())


def test_a_very_long_chain_has_no_cycle_and_needs_no_recursion():
    waits = [[i + 1] for i in range(20_000)] + [[]]
    assert find_cycle(waits) is None
    waits[-1].append(0)
    cycle = find_cycle(waits)
    assert cycle is not None
    assert len(cycle) == 20_002


@pytest.mark.parametrize(
    ("dependencies", "order"),
    [
        ({"a": ["b"], "b": ["a"]}, "a → b → a"),
        ({"a": ["c"], "b": ["a"], "c": ["b"]}, "a → b → c → a"),
        ({"z": [], "a": ["z", "b"], "b": ["z", "a"]}, "a → b → a"),
    ],
)
def test_a_cycle_is_named_in_the_order_of_running(dependencies: dict[str, list[str]], order: str):
    (found,) = issues({"steps": [step(name, depends_on=before) for name, before in dependencies.items()]})
    assert found.code is ErrorCode.CYCLE_DETECTED
    assert found.message == f"the steps wait for each other: {order}"
    assert (found.path, found.hint) == ("steps", "remove one of these dependencies")


def test_a_step_that_waits_for_itself_is_told_where_it_says_so():
    (found,) = issues({"steps": [step("a", depends_on=["a"])]})
    assert (found.code, found.path) == (ErrorCode.CYCLE_DETECTED, "steps[0].depends_on[0]")
    assert found.message == "step 'a' depends on itself"


def test_the_nearest_step_is_proposed_for_one_that_is_not_there():
    (found,) = issues({"steps": [step("fetch"), step("b", depends_on=["fetsh"])]})
    assert (found.path, found.hint) == ("steps[1].depends_on[0]", "did you mean 'fetch'?")


def test_reading_in_a_block_without_waiting_is_a_warning_of_the_outermost_step():
    inner = step("in", "${{steps.a.output}}")
    made = plan(step("a"), {"id": "p", "type": "parallel", "config": {"branches": [[inner, step("b")]]}})
    assert [str(warning) for warning in made.warnings] == [
        "steps[1]: step 'p' reads step 'a' but does not wait for it (add \"a\" to its depends_on)"
    ]


def test_reading_a_sibling_in_the_same_block_is_no_warning():
    block = [step("a"), step("in", "${{steps.a.output}}")]
    assert not plan(step("a"), {"id": "p", "type": "parallel", "config": {"branches": [block]}}).warnings
