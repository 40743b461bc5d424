"""What is remembered beside the runs."""

import asyncio
from functools import partial
from typing import Any

import pytest

from opcode_core import ErrorCode, Item, OpcodeError, Page, RunFilter, Storage
from opcode_testkit.storage.lists import GARBAGE_CURSORS
from opcode_testkit.storage.rows import a_commit, all_rows, refused
from opcode_testkit.storage.suite import MakeStorage, StorageSuite
from opcode_testkit.storage.values import HARD_VALUES

ODD_KEYS = (
    *(
        "",
        "a",
        "A",
        "ab",
        "abc",
        "b",
        "é",
        "e\u0301",
        "éa",
        "ключ",
        "日本",
        "日本語",
        "'; --",
        '"',
        "a/b",
        "a/b/c",
    ),
    *(
        "%",
        "%a",
        "a%",
        "a%b",
        "_",
        "_b",
        "a_",
        "a_b",
        "*",
        "a*",
        "?",
        "a?",
        "[a]",
        "\\",
        "a\\%",
        " ",
        "a ",
        "\x7f",
    ),
    *("\ud7ff", "\ud7ffa", "\ue000", "\uffff", "\uffffa", "🚀", "🚀a", "👩‍🚀"),
    *("\U0010ffff", "\U0010ffffa", "a\U0010ffff", "a\U0010ffff\U0010ffff", "\U0010ffff\U0010ffff"),
)
ODD_PREFIXES = (*ODD_KEYS, "a\ud7ff", "c", "日", "%%", "__", "\u2028")


class Items(StorageSuite):
    """Values with a version, on shelves."""

    async def test_an_item_is_kept_in_every_field(self, storage: Storage) -> None:
        """As it was given, with the version that it got."""
        put = await storage.put("tokens", "t1", {"name": "ada"}, 1_700_000_000.25)
        assert put == Item("tokens", "t1", {"name": "ada"}, 1, 1_700_000_000.25)
        assert await storage.item("tokens", "t1") == put
        assert await storage.items("tokens") == Page((put,))

    async def test_versions_rise_by_one(self, storage: Storage) -> None:
        """With each change, also to an equal value; what was removed begins anew."""
        for number, version in enumerate((None, 1, 2, None, 4), 1):
            item = await storage.put("s", "k", [number // 2], float(number), version=version)
            assert item == Item("s", "k", [number // 2], number, float(number))
            assert await storage.item("s", "k") == item
        assert await storage.remove("s", ["k"]) == 1
        assert (await storage.put("s", "k", 1, 9.0, version=0)).version == 1
        assert (await storage.put("s", "other", 1, 9.0)).version == 1

    @pytest.mark.parametrize(
        ("puts", "version"), [(0, 1), (0, -1), (2, 0), (2, 1), (2, 3), (2, -1), (2, 2**70)]
    )
    async def test_another_version_is_a_conflict(self, storage: Storage, puts: int, version: int) -> None:
        """The stored one is told, and nothing changes."""
        for number in range(puts):
            await storage.put("s", "k", number, float(number))
        before = await storage.item("s", "k")
        error = await refused(storage.put("s", "k", "new", 9.0, version=version))
        assert error.code is ErrorCode.CONFLICT
        assert error.details["version"] == puts
        assert "k" in error.message
        assert await storage.item("s", "k") == before

    async def test_of_many_who_put_something_new_one_wins(self, storage: Storage) -> None:
        """The others get a conflict, and what the winner put stays."""
        puts = (storage.put("s", "k", number, 1.0, version=0) for number in range(20))
        results = await asyncio.gather(*puts, return_exceptions=True)
        won = [result for result in results if isinstance(result, Item)]
        assert len(won) == 1
        lost = [result for result in results if isinstance(result, OpcodeError)]
        assert [(error.code, error.details["version"]) for error in lost] == [(ErrorCode.CONFLICT, 1)] * 19
        assert await storage.item("s", "k") == won[0]

    async def test_no_change_is_lost(self, storage: Storage) -> None:
        """Of many who read, change and put back by version."""
        await storage.put("s", "k", {"n": 0}, 1.0)

        async def add() -> None:
            while True:
                item = await storage.item("s", "k")
                assert item is not None
                await asyncio.sleep(0)
                try:
                    await storage.put("s", "k", {"n": item.value["n"] + 1}, 1.0, version=item.version)
                except OpcodeError as error:
                    assert error.code is ErrorCode.CONFLICT  # noqa: PT017 - then once more
                else:
                    return

        await asyncio.gather(*(add() for _ in range(20)))
        assert await storage.item("s", "k") == Item("s", "k", {"n": 20}, 21, 1.0)

    @pytest.mark.parametrize("name", HARD_VALUES)
    async def test_values_of_items_come_back_as_they_were(self, storage: Storage, name: str) -> None:
        """Read alone and in a list."""
        value = HARD_VALUES[name]
        await storage.put("s", "k", value, 1.0)
        item = await storage.item("s", "k")
        assert item is not None
        (listed,) = (await storage.items("s")).items
        assert repr(item.value) == repr(listed.value) == repr(value)

    @pytest.mark.parametrize(
        "value", [None, True, False, 0, 1, 1.0, -0.0, "", "a\ud800", "\0", [], {}], ids=ascii
    )
    async def test_a_value_may_be_any_json(self, storage: Storage, value: Any) -> None:
        """Not only an object; null is a value too."""
        await storage.put("s", "k", value, 1.0)
        item = await storage.item("s", "k")
        assert item is not None
        assert repr(item.value) == repr(value)

    async def test_what_was_read_may_be_changed(self, storage: Storage) -> None:
        """What is kept only changes when it is put."""
        given: dict[str, Any] = {"names": ["ada"]}
        await storage.put("s", "k", given, 1.0)
        given["names"].append("given")
        item = await storage.item("s", "k")
        assert item is not None
        item.value["names"].append("read")
        (listed,) = (await storage.items("s")).items
        listed.value["names"].append("listed")
        assert await storage.item("s", "k") == Item("s", "k", {"names": ["ada"]}, 1, 1.0)

    @pytest.mark.parametrize(
        "text", ["a\ud800", "\udfff", "a\0b", "\0", "'; --", "👩‍🚀", "", "x" * 10_000], ids=ascii
    )
    async def test_keys_come_back_as_they_were_or_are_refused(self, storage: Storage, text: str) -> None:
        """A refusal is a VALIDATION_ERROR and leaves nothing."""
        for shelf, key in ((text, "k"), ("s", text)):
            try:
                item = await storage.put(shelf, key, {"n": 1}, 1.0)
            except OpcodeError as error:
                assert error.code is ErrorCode.VALIDATION_ERROR  # noqa: PT017 - one of two good outcomes
                assert await storage.items("s") == Page()
                continue
            assert (item.shelf, item.key) == (shelf, key)
            assert await storage.item(shelf, key) == item
            assert item in (await storage.items(shelf, key)).items
            assert await storage.remove(shelf, [key]) == 1
            assert await storage.item(shelf, key) is None

    async def test_shelves_are_apart(self, storage: Storage) -> None:
        """The same key may lie on many."""
        for shelf in ("s", "S", "s ", "", "s%", "%", "ss"):
            assert (await storage.put(shelf, "k", shelf, 1.0)).version == 1
        assert [item.value for item in (await storage.items("s")).items] == ["s"]
        assert [item.value for item in (await storage.items("%")).items] == ["%"]
        assert await storage.remove("s", ["k"]) == 1
        assert await storage.item("s", "k") is None
        assert await storage.item("S", "k") == Item("S", "k", "S", 1, 1.0)

    async def test_what_is_not_there_is_none(self, storage: Storage) -> None:
        """Unknown shelves and keys are no errors."""
        await storage.put("s", "k", 1, 1.0)
        assert await storage.item("s", "nope") is None
        assert await storage.item("nope", "k") is None
        assert await storage.items("nope") == Page()
        assert await storage.items("s", "nope", greatest_first=True) == Page()

    @pytest.mark.parametrize("greatest_first", [False, True])
    async def test_prefixes_are_taken_literally(self, storage: Storage, greatest_first: bool) -> None:
        """Whatever characters they have; what is found comes in the order of its UTF-8 bytes."""
        for key in ODD_KEYS:
            await storage.put("s", key, None, 1.0)
        order = sorted(ODD_KEYS, key=lambda key: key.encode("utf-8"), reverse=greatest_first)
        assert keys((await storage.items("s", greatest_first=greatest_first)).items) == order
        for prefix in ODD_PREFIXES:
            expected = [key for key in order if key.startswith(prefix)]
            page = await storage.items("s", prefix, greatest_first=greatest_first)
            assert keys(page.items) == expected
            assert page.cursor is None
            paged = await all_rows(partial(storage.items, "s", prefix, 3, greatest_first=greatest_first))
            assert keys(paged) == expected

    @pytest.mark.parametrize("greatest_first", [False, True])
    async def test_pages_of_items_stay_while_items_are_added(
        self, storage: Storage, greatest_first: bool
    ) -> None:
        """Each that was there is met once; what is added is met if it comes later."""
        there = [f"k{number}" for number in (10, 20, 30, 40, 50, 60, 70)]
        for key in there:
            await storage.put("s", key, None, 1.0)
        added = iter(("k05 k75", "k35 k45", "k00 k99"))

        async def add() -> None:
            for key in next(added, "k41").split():
                await storage.put("s", key, None, 1.0)
            await storage.put("s", "k20", "changed", 2.0)

        rows = await all_rows(
            lambda cursor: storage.items("s", "k", 2, cursor, greatest_first=greatest_first), add
        )
        met = keys(rows)
        assert [key for key in met if key in there] == sorted(there, reverse=greatest_first)
        assert met == sorted(set(met), reverse=greatest_first)
        assert {"k35" if greatest_first else "k45", "k05" if greatest_first else "k75"} <= set(met)

    @pytest.mark.parametrize("greatest_first", [False, True])
    async def test_pages_of_items_stay_while_items_are_removed(
        self, storage: Storage, greatest_first: bool
    ) -> None:
        """Also the one where a page ended."""
        for number in range(6):
            await storage.put("s", f"k{number}", None, 1.0)
        order = sorted((f"k{number}" for number in range(6)), reverse=greatest_first)
        first = await storage.items("s", "", 2, greatest_first=greatest_first)
        assert await storage.remove("s", [*order[:3]]) == 3
        rest = await storage.items("s", "", 9, first.cursor, greatest_first=greatest_first)
        assert keys(first.items) == order[:2]
        assert keys(rest.items) == order[3:]
        assert rest.cursor is None

    @pytest.mark.parametrize("cursor", GARBAGE_CURSORS, ids=lambda text: ascii(text)[:30])
    async def test_garbage_is_no_cursor_of_items(self, storage: Storage, cursor: str) -> None:
        """In both directions, with an error that says what to do."""
        await storage.put("s", "k", 1, 1.0)
        for greatest_first in (False, True):
            error = await refused(storage.items("s", "", 10, cursor, greatest_first=greatest_first))
            assert error.code is ErrorCode.VALIDATION_ERROR
            assert "cursor" in error.message

    async def test_items_take_no_cursor_of_another_list(self, storage: Storage) -> None:
        """And give none to it."""
        await storage.commit([a_commit("r1"), a_commit("r2")])
        for key in ("a", "b"):
            await storage.put("s", key, 1, 1.0)
        runs = (await storage.runs(RunFilter(), 1)).cursor
        items = (await storage.items("s", "", 1)).cursor
        assert runs is not None
        assert items is not None
        for call in (partial(storage.items, "s", "", 1, runs), partial(storage.runs, RunFilter(), 1, items)):
            assert (await refused(call())).code is ErrorCode.VALIDATION_ERROR

    @pytest.mark.parametrize("limit", [0, -1])
    async def test_a_limit_of_items_is_one_or_more(self, storage: Storage, limit: int) -> None:
        """Nothing and less than nothing are no pages."""
        error = await refused(storage.items("s", "", limit))
        assert error.code is ErrorCode.VALIDATION_ERROR
        assert "limit" in error.message

    async def test_removing_tells_how_many_were_there(self, storage: Storage) -> None:
        """Each counts once, and unknown ones not at all."""
        for key in ("a", "b", "c", "d"):
            await storage.put("s", key, 1, 1.0)
        assert await storage.remove("s", []) == 0
        assert await storage.remove("nope", ["a", "b"]) == 0
        assert await storage.remove("s", ["b", "nope", "b", "a", ""]) == 2
        assert await storage.remove("s", ["a", "b"]) == 0
        assert keys((await storage.items("s")).items) == ["c", "d"]
        assert await storage.remove("s", [*map(str, range(2000)), "c"]) == 1

    async def test_items_are_there_after_reopening(self, make_storage: MakeStorage) -> None:
        """With their versions; what was removed is not."""
        if not self.persistent:
            pytest.skip("this storage forgets when it is closed")
        first = make_storage()
        await first.open()
        for key in ("a", "b", "a"):
            kept = await first.put("s", key, {"key": key}, 1.5)
        await first.remove("s", ["b"])
        await first.close()
        second = make_storage()
        await second.open()
        try:
            assert (await second.items("s")).items == (kept,)
            assert (await second.put("s", "a", 1, 2.5, version=2)).version == 3
        finally:
            await second.close()

    async def test_two_connections_see_each_other_s_items(
        self, make_storage: MakeStorage, storage: Storage
    ) -> None:
        """Who comes second with a version is refused, whatever connection it uses."""
        if not self.persistent:
            pytest.skip("this storage belongs to one process")
        other = make_storage()
        await other.open()
        try:
            item = await storage.put("s", "k", {"n": 1}, 1.0, version=0)
            assert await other.item("s", "k") == item
            assert (await refused(other.put("s", "k", 1, 2.0, version=0))).details["version"] == 1
            changed = await other.put("s", "k", {"n": 2}, 2.0, version=1)
            assert (await refused(storage.put("s", "k", 1, 3.0, version=1))).details["version"] == 2
            assert (await storage.items("s")).items == (changed,)
            assert await storage.remove("s", ["k"]) == 1
            assert await other.item("s", "k") is None
            puts = (each.put("s", "new", 1, 1.0, version=0) for each in (storage, other) * 5)
            results = await asyncio.gather(*puts, return_exceptions=True)
            assert len([result for result in results if isinstance(result, Item)]) == 1
        finally:
            await other.close()


def keys(items: Any) -> list[str]:
    """Their keys, in order."""
    return [item.key for item in items]
