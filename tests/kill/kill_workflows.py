"""The workflows whose processes are killed: every feature, short steps, and outputs that no kill may change."""

from dataclasses import dataclass
from typing import Any

from kill_words import (
    IGNORE,
    ask,
    ask_for,
    blocking,
    child,
    condition,
    external,
    fallback,
    flaky,
    flow,
    for_each,
    idempotent,
    parallel,
    pause,
    pure,
    repeat,
    retry,
    signal,
    step,
    workflow,
)


@dataclass(frozen=True, slots=True)
class Story:
    """A workflow.

    Attributes:
        longest: seconds that it waits although nobody can do anything about that.
        early: names of the signals that are sent right after the start.
        repeats: its blocks are tried again, so that their steps are meant anew.
    """

    definition: dict[str, Any]
    longest: float = 0.0
    early: tuple[str, ...] = ()
    repeats: bool = False


TEMPLATES = {
    "child": workflow(external("x"), pure("y", "${{steps.x.output}}!", after="x"), external("z", after="y")),
    "asking": workflow(
        external("x"), signal("w", after="x"), ask("q", after="x"), external("z", after="w q")
    ),
    "failing": workflow(external("x"), step("f", "workflow.fail", {"reason": "so it is"}, after="x")),
    "parent": workflow(child("c", "child"), external("z", after="c")),
    "lost": workflow(external("x"), signal("w", "never", after="x")),
}

STEPS = {
    "chain": workflow(
        external("a"),
        external("b", "${{steps.a.output}}b", after="a"),
        external("c", "${{steps.b.output}}c", 60, after="b"),
        external("d", "${{steps.c.output}}d", 120, after="c"),
    ),
    "effects": workflow(
        external("a"),
        idempotent("b", after="a"),
        blocking("c", ms=80, after="a"),
        pure("d", ["${{steps.b.output}}", "${{steps.c.output}}"], after="b c"),
        step("e", "crypto.hash", {"data": "${{steps.c.output}}"}, after="c"),
        step("f", "expr.eval", {"expression": "steps['c'] + '?'", "engine": "cel"}, after="c"),
        idempotent("g", "${{steps.e.hash}} ${{steps.f.result}}", after="d e f"),
    ),
    "beside": workflow(*(external(f"a{n}", n + 1, 10 * n + 10) for n in range(8)), pure("z", after="a0 a7")),
    "retried": workflow(flaky("a", 2, retry=retry(3, "60ms")), external("b", after="a")),
    "exhausted": workflow(flaky("a", 99, retry=retry(2, "40ms")), external("b", after="a")),
    "fallback": workflow(
        flaky("a", 99, retry=retry(1, "20ms"), on_error=fallback("f")),
        external("f"),
        external("b", "${{steps.a.output}}", after="a"),
    ),
    "ignored": workflow(flaky("a", 99, retry=retry(1, "20ms"), on_error=IGNORE), external("b", after="a")),
    "timeouts": workflow(
        external("a", ms=60_000, timeout="120ms", on_error=IGNORE),
        external("b", ms=60_000, timeout="80ms", retry=retry(1, "10ms"), on_error=fallback("f"), after="a"),
        external("f"),
        external("c", "${{steps.b.output}}", timeout="20s", after="b"),
    ),
    "guards": workflow(
        external("a"), external("b", condition="steps.a == 'b'", after="a"), external("c", after="b")
    ),
    "context": workflow(
        for_each(
            "l",
            [1, 2, 3],
            idempotent("x", "${{loop.item}}"),
            step("set", "workflow.context", {"action": "update", "data": {"last": "${{steps.x.output}}"}}),
        ),
        external("a", "${{context.last}}${{context.first}}", after="l"),
        context={"first": 0},
    ),
    "on-crash-fail": workflow(
        external("once", ms=150, on_crash="fail", on_error=IGNORE), external("b", after="once"),
        output={"b": "${{steps.b.output}}"},
    ),
    "on-crash-suspend": workflow(
        external("held", ms=150, on_crash="suspend"), external("b", "${{steps.held.output}}", after="held")
    ),
}  # fmt: skip

BLOCKS = {
    "all": workflow(
        parallel("p", [external("a"), external("b", ms=50)], [idempotent("c", ms=70)], [pause("w", "90ms")]),
        external("z", after="p"),
    ),
    "race": workflow(
        parallel("p", [external("a", ms=80), external("b")], [external("slow", ms=60_000)], mode="race"),
        external("z", "${{steps.p.output.winner}}", after="p"),
    ),
    "each": workflow(
        for_each("l", [1, 2, 3, 4, 5], external("x", "${{loop.item}}"), pure("y", "${{steps.x.output}}")),
        external("z", "${{steps.l.output.results}}", after="l"),
    ),
    "each-of-three": workflow(
        external("list", [9, 8, 7, 6, 5, 4, 3]),
        for_each(
            "l", "${{steps.list.output}}", external("x", "${{loop.item}}", 50), pure("y", "${{steps.x.output}}"),
            at_once=3, after="list",
        ),
        external("z", "${{steps.l.output.results}}", after="l"),
    ),
    "while": workflow(
        repeat("while", "l", "iter.index < 4", external("x", "${{loop.index}}")), external("z", after="l")
    ),
    "until": workflow(repeat("until", "l", "steps.x == 'x2'", external("x", "x${{loop.index}}", 40))),
    "branches": workflow(
        external("n", 3),
        condition("c", "steps.n", {"3": [external("x"), external("y")], "4": [external("z")]}, after="n"),
        for_each(
            "l",
            [1, 2, 3],
            condition("odd", "iter.item % 2 == 1", {"true": [external("x")], "false": [pure("y")]}),
            after="c",
        ),
    ),
    "nested": workflow(
        for_each(
            "l",
            [1, 2],
            parallel(
                "p",
                [for_each("m", [1, 2, 3], external("x", "${{loop.item}}", 15), at_once=2)],
                [condition("c", "true", {"true": [flaky("f", 1, retry=retry(2, "30ms")), external("y")]})],
            ),
            external("w", "${{steps.p.output}}"),
        ),
        external("z", after="l"),
    ),
    "block-timeout": workflow(
        for_each("l", [1, 2, 3], external("x", ms=200), signal("never", "never"), timeout="500ms", on_error=IGNORE),
        external("z", after="l"),
    ),
    "long": workflow(
        for_each("l", list(range(130)), pure("x", "${{loop.item}}"), idempotent("y", "${{loop.item}}", 1)),
        external("z", "${{steps.l.output.iterations}}", after="l"),
    ),
}  # fmt: skip

WAITING = {
    "pauses": workflow(pause("w", "200ms"), external("a", after="w"), pause("v", "150ms", after="a"), pause("u", "1s")),
    "signal": workflow(external("a"), signal("w", after="a"), external("b", "${{steps.w.output.payload.n}}", after="w")),
    "ask": workflow(external("a"), ask("q", after="a"), external("b", "${{steps.q.output.choice}}", after="q")),
    "ask-in-loop": workflow(
        for_each("l", [1, 2, 3], external("x"), ask("q"), external("y", "${{steps.q.output.choice}}")),
        external("z", "${{steps.l.output.results}}", after="l"),
    ),
    "ask-at-once": workflow(for_each("l", [1, 2, 3, 4], ask("q"), external("y"), at_once=3), external("z", after="l")),
    "ask-in-branches": workflow(
        parallel("p", [ask("q"), external("a")], [external("b"), signal("s")], [pause("w", "300ms"), external("c")]),
        condition("c", "steps['p.branch_0.q'].choice == 'yes'", {"true": [ask("r"), external("d")]}, after="p"),
    ),
    "ask-by-time": workflow(
        ask_for("q", "700ms", "no"),
        ask_for("r", "400ms", None, on_error=IGNORE),
        external("a", "${{steps.q.output}}", after="q r"),
    ),
    "signal-by-time": workflow(
        flow("w", "wait", {"signal": "never", "timeout": "500ms"}, on_error=IGNORE), external("a", after="w")
    ),
    "child": workflow(child("c", "child"), external("a", "${{steps.c.output}}", after="c")),
    "children": workflow(
        for_each("l", [1, 2, 3], child("c", "child"), at_once=2),
        child("g", "parent"),
        external("z", ["${{steps.l.output.results}}", "${{steps.g.output}}"], after="l g"),
    ),
    "child-that-asks": workflow(external("a"), child("c", "asking", after="a"), external("z", "${{steps.c.output}}", after="c")),
    "child-that-fails": workflow(child("c", "failing", on_error=IGNORE), external("z", after="c")),
    "lost-child": workflow(
        parallel("p", [external("a", ms=150)], [child("c", "lost")], mode="race"), external("z", after="p"),
    ),
    "fails": workflow(external("a"), step("f", "workflow.fail", {"reason": "so it is"}, after="a"), external("b", after="f"),
        on_error=external("h", "${{workflow.error.message}}")),
    "completes": workflow(external("a"), on_complete=external("h", ms=100)),
    "deadline": workflow(external("a"), signal("w", "never", after="a"), timeout="900ms", on_error=external("h")),
    "deadline-cancels": workflow(external("a"), signal("w", "never", after="a"), timeout="700ms", on_timeout="cancel"),
}  # fmt: skip

STORIES = {
    **{name: Story(definition) for name, definition in {**STEPS, **BLOCKS, **WAITING}.items()},
    "early-signal": Story(
        workflow(
            external("a", ms=150),
            external("b", ms=150, after="a"),
            signal("w", "early", after="b"),
            external("c", "${{steps.w.output.payload.n}}", after="w"),
        ),
        early=("early",),
    ),
    "early-signals": Story(
        workflow(
            for_each("l", [1, 2], external("a", ms=80), signal("w", "early")),
            signal("v", "other"),
            output={"v": "${{steps.v.output.payload.n}}", "l": "${{steps.l.output.iterations}}"},
        ),
        early=("other", "early"),
    ),
    "long-wait": Story(workflow(external("a"), pause("w", "3200ms", after="a"), external("b", after="w")), 3.2),
    "long-wait-beside": Story(
        workflow(
            parallel("p", [pause("w", "3100ms"), external("a")], [ask("q"), external("b")], [external("c")]),
            external("z", after="p"),
        ),
        3.1,
    ),
    "long-retry": Story(workflow(flaky("a", 1, retry=retry(1, "3100ms")), external("b", after="a")), 3.1),
    "deadline-suspends": Story(
        workflow(
            external("a"), pause("w", "1200ms", after="a"), external("b", after="w"),
            timeout="600ms", on_timeout="suspend",
        ),
        1.2,
    ),
    "block-retry": Story(
        workflow(
            for_each("l", [1, 2], external("x"), step("f", "kill.flaky", {"times": 99}), retry=retry(2, "30ms")),
            on_error=external("h"),
        ),
        repeats=True,
    ),
    "snapshot": Story(
        workflow(
            for_each("l", list(range(320)), pure("x", "${{loop.item}}")),
            ask("q", after="l"),
            external("z", "${{steps.l.output.iterations}}", after="q"),
        )
    ),
}  # fmt: skip

DEADLY = Story(workflow(external("a"), step("b", "kill.deadly", {}, after="a"), external("c", after="b")))
"""Its process dies each time."""
PATIENT = Story(workflow(external("a", ms=60_000)))
"""It only takes its time."""
ALL = {**STORIES, "deadly": DEADLY, "patient": PATIENT}
OLD = [
    "chain",
    "effects",
    "beside",
    "retried",
    "fallback",
    "each",
    "each-of-three",
    "while",
    "branches",
    "nested",
    "all",
    "long",
]
"""Those that need nothing which the first version did not have."""
