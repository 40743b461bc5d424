"""The SQLite storage keeps what every storage promises."""

import pytest

from opcode_sql.plugin import sqlite
from opcode_testkit.storage import StorageConformance


class TestSqlite(StorageConformance):
    @pytest.fixture
    def make_storage(self, tmp_path):
        return lambda: sqlite(f"sqlite:///{tmp_path}/made/by/open.db")


class TestSqliteWithLessDurability(StorageConformance):
    @pytest.fixture
    def make_storage(self, tmp_path):
        return lambda: sqlite(f"sqlite:///{tmp_path}/opcode.db?durability=normal")
