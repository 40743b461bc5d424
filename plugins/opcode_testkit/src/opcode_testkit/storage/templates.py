"""Templates and their versions."""

import asyncio
from typing import Any

from opcode_core import (
    Storage,
)
from opcode_testkit.storage.rows import a_template, all_rows
from opcode_testkit.storage.suite import StorageSuite


class Templates(StorageSuite):
    """Versions rise and never change."""

    async def test_versions_rise_from_one_and_never_change(self, storage: Storage) -> None:
        """Whatever version is given, the next one is stored."""
        first = await storage.add_template(
            a_template(version=7, description="é", input_schema={"type": "object"}, triggers={"cron": []})
        )
        second = await storage.add_template(a_template(definition_hash="hash-2", definition=b"2"))
        assert (first.version, second.version) == (1, 2)
        assert await storage.template("deploy", 1) == first
        assert await storage.template("deploy", 2) == second
        assert await storage.template("deploy") == second
        assert (await storage.add_template(a_template("other"))).version == 1

    async def test_a_template_brings_its_definition(self, storage: Storage) -> None:
        """A run of it is found by the hash alone; two versions may share one."""
        await storage.add_template(a_template(definition_hash="h", definition=b"{1}"))
        await storage.add_template(a_template(definition_hash="h", definition=b"{1}", description="again"))
        assert await storage.definition("h") == b"{1}"

    async def test_of_many_tasks_each_gets_its_own_version(self, storage: Storage) -> None:
        """No version is given twice."""
        stored = await asyncio.gather(*(storage.add_template(a_template()) for _ in range(20)))
        assert sorted(row.version for row in stored) == list(range(1, 21))

    async def test_lists_of_templates(self, storage: Storage) -> None:
        """The newest of each by name; all versions of one, newest first; an agent's own."""
        for name, agent in (
            ("b", "one"),
            ("a", "one"),
            ("b", "two"),
            ("C", "two"),
            ("é", "one"),
            ("b", "one"),
        ):
            await storage.add_template(a_template(name, agent_id=agent))

        async def listed(name: str | None = None, agent: str | None = None, limit: int = 50) -> list[Any]:
            rows = await all_rows(lambda cursor: storage.templates(name, agent, limit, cursor))
            return [(row.name, row.version) for row in rows]

        for limit in (1, 2, 50):
            assert await listed(limit=limit) == [("C", 1), ("a", 1), ("b", 3), ("é", 1)]
            assert await listed("b", limit=limit) == [("b", 3), ("b", 2), ("b", 1)]
            assert await listed(agent="two", limit=limit) == [("C", 1), ("b", 2)]
            assert await listed("b", "one", limit=limit) == [("b", 3), ("b", 1)]
            assert await listed(agent="nobody", limit=limit) == []
