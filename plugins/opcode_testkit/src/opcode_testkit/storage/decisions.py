"""Questions and answers."""

from dataclasses import replace

import pytest

from opcode_core import Commit, DecisionFilter, ErrorCode, Storage
from opcode_testkit.storage.rows import a_commit, a_decision, a_run, all_rows, ids, refused
from opcode_testkit.storage.suite import StorageSuite
from opcode_testkit.storage.values import HARD_VALUES


class Decisions(StorageSuite):
    """Kept with the commit of their run."""

    async def test_a_decision_is_kept_in_every_field(self, storage: Storage) -> None:
        """Pending, and answered; the answer replaces the question."""
        asked = a_decision(
            target_agent_id="ada",
            response_schema={"type": "object"},
            timeout_at=60.25,
            fallback="no",
        )
        await storage.commit([replace(a_commit(), decisions=[asked])])
        assert await storage.decision("d1") == asked
        answered = replace(
            asked,
            status="resolved",
            choice="yes",
            reasoning="it looks good",
            answer={"a": [1, None]},
            resolved_by="ada",
            resolved_at=2.5,
        )
        await storage.commit([replace(a_commit(first=2), decisions=[answered, a_decision("d2")])])
        assert await storage.decision("d1") == answered
        assert list((await storage.decisions(DecisionFilter())).items) == [answered, a_decision("d2")]

    @pytest.mark.parametrize("name", HARD_VALUES)
    async def test_what_is_asked_and_answered_comes_back_as_it_was(self, storage: Storage, name: str) -> None:
        """Values, and text that people and agents wrote."""
        value = HARD_VALUES[name]
        text = "".join(str(each) for each in value.values())
        decision = a_decision(
            prompt=text,
            data=value,
            options=[{"id": "a", "description": text}],
            response_schema=value,
            choice=text,
            reasoning=text,
            answer=value,
        )
        await storage.commit([replace(a_commit(), decisions=[decision])])
        assert repr(await storage.decision("d1")) == repr(decision)

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            (DecisionFilter(), ["b", "a", "d", "c"]),
            (DecisionFilter(status="pending"), ["b", "d", "c"]),
            (DecisionFilter(workflow_id="r1"), ["a", "c"]),
            (DecisionFilter(agent_id="ada"), ["b", "a", "c"]),
            (DecisionFilter(agent_id="bob"), ["a", "d", "c"]),
            (DecisionFilter(agent_id=""), ["a", "c"]),
            (DecisionFilter("pending", "r1", "bob"), ["c"]),
            (DecisionFilter("pending", "r2"), ["b", "d"]),
            (DecisionFilter("nope"), []),
            (DecisionFilter(workflow_id="nope"), []),
        ],
        ids=str,
    )
    async def test_decisions_by_filter(
        self, storage: Storage, where: DecisionFilter, expected: list[str]
    ) -> None:
        """Who waits longest comes first; what is asked of nobody in particular is everybody's."""
        first = [
            a_decision("a", created_at=2.0, status="resolved"),
            a_decision("c", created_at=3.0),
        ]
        second = [
            a_decision("d", "r2", created_at=2.5, target_agent_id="bob"),
            a_decision("b", "r2", created_at=1.0, target_agent_id="ada"),
        ]
        await storage.commit(
            [replace(a_commit("r1"), decisions=first), replace(a_commit("r2"), decisions=second)]
        )
        page = await storage.decisions(where)
        assert ids(page.items) == expected
        assert page.cursor is None
        paged = await all_rows(lambda cursor: storage.decisions(where, 1, cursor))
        assert ids(paged) == expected

    @pytest.mark.parametrize("status", [None, "pending"])
    async def test_pages_of_decisions_stay_while_others_are_added(
        self, storage: Storage, status: str | None
    ) -> None:
        """Also where many were asked at the same time; the newer ones come at the end."""
        times = (2.0, 2.0, 1 / 3, 2.0, 2.0)
        asked = [a_decision(f"d{number}", created_at=at) for number, at in enumerate(times)]
        await storage.commit([replace(a_commit(), decisions=asked)])
        added = iter(range(2, 100))

        async def add() -> None:
            number = next(added)
            if number < 4:
                older = a_decision(f"old{number}", created_at=0.1)
                newer = a_decision(f"new{number}", created_at=9.0)
                await storage.commit([replace(a_commit(first=number), decisions=[newer, older])])

        rows = await all_rows(lambda cursor: storage.decisions(DecisionFilter(status), 2, cursor), add)
        assert ids(rows) == ["d2", "d0", "d1", "d3", "d4", "new2", "new3"]

    async def test_a_refused_commit_asks_nothing(self, storage: Storage) -> None:
        """And answers nothing."""
        await storage.commit([replace(a_commit(), decisions=[a_decision()])])
        answered = a_decision(status="resolved")
        bad = replace(a_commit(first=3), decisions=[answered, a_decision("d2")])
        assert (await refused(storage.commit([a_commit("r2"), bad]))).code is ErrorCode.CONFLICT
        assert list((await storage.decisions(DecisionFilter())).items) == [a_decision()]

    async def test_an_answer_needs_no_event(self, storage: Storage) -> None:
        """A commit without events may bring decisions too."""
        await storage.commit([a_commit()])
        await storage.commit([Commit(a_run(sequence=1), [], decisions=[a_decision()])])
        assert await storage.decision("d1") == a_decision()
