"""What is kept comes back as it was."""

from dataclasses import replace
from typing import Any

import pytest

from opcode_core import (
    Commit,
    ErrorCode,
    Event,
    EventFilter,
    OpcodeError,
    RunFilter,
    Storage,
)
from opcode_testkit.storage.rows import a_commit, a_run, a_template, an_event
from opcode_testkit.storage.suite import StorageSuite

HARD_VALUES: dict[str, Any] = {
    "lone surrogate": {"text": "a\ud800b", "\udfff": "as a key"},
    "NUL": {"text": "before\0after", "\0": 0},
    "quotes": {"text": """'; DROP TABLE events; -- " \\ ${{ steps.a }} %s ? :name"""},
    "emoji": {"text": "👩‍🚀 é \u2028 \ufeff", "ключ": "値"},
    "control": {"text": "\x01\x1f\x7f\r\n\t"},
    "1 MB": {"text": "x" * 1_000_000},
    "64 bits": {"numbers": [2**63 - 1, -(2**63), 2**53 + 1, 0]},
    "floats": {"numbers": [0.1, 1e308, 5e-324, -0.0, 1.0, 1 / 3]},
    "kinds": {"values": [None, True, False, 1, 1.0, "1", "", [], {}, [[{"a": [None]}]]]},
}


class Values(StorageSuite):
    """JSON, names, definitions and contexts."""

    @pytest.mark.parametrize("name", HARD_VALUES)
    async def test_values_come_back_as_they_were(self, storage: Storage, name: str) -> None:
        """Everywhere where JSON is kept."""
        value = HARD_VALUES[name]
        run = a_run(sequence=1, output=value, error=value)
        await storage.commit([Commit(run, [an_event("r1", 1, payload=value)], context=value)])
        template = await storage.add_template(
            a_template(input_schema=value, output_schema=value, triggers=value)
        )
        stored = await storage.run("r1")
        assert stored is not None
        (event,) = (await storage.events(EventFilter("r1"))).items
        found = await storage.template("deploy")
        assert found is not None
        kept = (stored.output, stored.error, event.payload, await storage.context("r1"), found.triggers)
        assert all(repr(each) == repr(value) for each in kept)
        assert found == template

    @pytest.mark.parametrize("text", ["a\ud800", "a\0b", "'; --", "👩‍🚀", "", "x" * 10_000], ids=ascii)
    async def test_names_come_back_as_they_were_or_are_refused(self, storage: Storage, text: str) -> None:
        """A refusal is a VALIDATION_ERROR and leaves nothing; looking for such a name is no crash."""
        run = a_run(f"r{text}", 1, agent_id=text, idempotency_key=text, template_name=text)
        event = Event(run.id, 1, text, text, {}, text, 1.5)
        try:
            await storage.commit([Commit(run, [event])])
        except OpcodeError as error:
            assert error.code is ErrorCode.VALIDATION_ERROR  # noqa: PT017 - one of two good outcomes
            assert (await storage.runs(RunFilter())).items == ()
            assert (await storage.events(EventFilter())).items == ()
            return
        assert await storage.run(run.id) == run
        assert await storage.run_by_key(text, text) == run
        assert list((await storage.runs(RunFilter(template_name=text))).items) == [run]
        where = EventFilter(run.id, step_id=text, event_type=text)
        assert list((await storage.events(where)).items) == [event]

    async def test_what_is_unknown_is_none(self, storage: Storage) -> None:
        """Unknown ids are no errors."""
        await storage.add_template(a_template())
        assert await storage.run("nope") is None
        assert await storage.run_by_key("agent", "nope") is None
        assert await storage.definition("nope") is None
        assert await storage.decision("nope") is None
        assert await storage.snapshot("nope") is None
        assert list(await storage.messages("nope")) == []
        assert await storage.template("nope") is None
        assert await storage.template("nope", 1) is None
        for version in (0, 2, -1):
            assert await storage.template("deploy", version) is None
        assert await storage.context("nope") == {}
        assert (await storage.events(EventFilter("nope"))).items == ()
        assert (await storage.templates("nope")).items == ()

    async def test_a_definition_stays_as_first_stored(self, storage: Storage) -> None:
        """Two runs share what lies under one hash, and bytes are kept exactly."""
        body = '{"a":  "é"}\n'.encode()
        await storage.commit([replace(a_commit("r1"), definition=body)])
        await storage.commit([replace(a_commit("r2"), definition=b"other")])
        assert await storage.definition("hash-1") == body

    async def test_a_context_is_merged_key_by_key(self, storage: Storage) -> None:
        """Given keys are replaced as a whole, others stay, and runs do not share."""
        await storage.commit([replace(a_commit("r1"), context={"intent": "x", "notes": {"a": 1}})])
        await storage.commit([replace(a_commit("r1", first=2), context={"notes": {"b": None}, "n": None})])
        await storage.commit([a_commit("r1", first=3), a_commit("r2")])
        context = await storage.context("r1")
        assert context == {"intent": "x", "notes": {"b": None}, "n": None}
        assert list(context) == ["intent", "notes", "n"]
        assert await storage.context("r2") == {}
        context["intent"] = "mine"
        assert (await storage.context("r1"))["intent"] == "x"
