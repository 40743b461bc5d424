"""Flags over variables over the file."""

import json
from pathlib import Path

import pytest

from opcode_core import OpcodeError
from opcode_core.settings import Settings, load_settings


@pytest.fixture
def file(tmp_path: Path):
    path = tmp_path / "settings.json"

    def write(content: object) -> Path:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def test_defaults(tmp_path: Path):
    assert load_settings({}, {}, tmp_path / "none.json") == Settings()


def test_each_source_overrides_the_next(file):
    path = file({"pool_size": 1, "log_level": "debug", "durability": "normal", "http_allow_private": True})
    made = load_settings(
        {"pool_size": 3, "db_path": None}, {"OPCODE_POOL_SIZE": "2", "OPCODE_LOG_LEVEL": "ERROR"}, path
    )
    assert (made.pool_size, made.log_level, made.durability) == (3, "error", "normal")


def test_the_storage_s_url(tmp_path: Path):
    path = tmp_path / "a b?.db"
    made = load_settings({}, {"OPCODE_DB_PATH": str(path), "OPCODE_DURABILITY": "normal"}, tmp_path / "none")
    assert made.storage_url == f"sqlite:///{tmp_path}/a%20b%3F.db?durability=normal"
    assert load_settings({}, {"OPCODE_STORAGE": "memory:"}, tmp_path / "none").storage_url == "memory:"


def test_lists_of_plugins(file):
    made = load_settings({}, {"OPCODE_PLUGINS_DENY": "a, b,"}, file({"plugins_allow": ["c"]}))
    assert (made.plugins_allow, made.plugins_deny) == (("c",), ("a", "b"))


@pytest.mark.parametrize(
    ("content", "environment", "message"),
    [
        ("{", {}, "cannot be read"),
        ([], {}, "must hold a JSON object"),
        ({"pool": 1}, {}, "unknown setting 'pool'"),
        ({"pool_size": 0}, {}, "pool_size is 0; it must be a number from 1 to 10000"),
        ({}, {"OPCODE_DURABILITY": "half"}, "OPCODE_DURABILITY is 'half'; it must be one of full, normal"),
    ],
)
def test_wrong_settings_name_their_source(file, content, environment, message):
    with pytest.raises(OpcodeError) as refused:
        load_settings({}, environment, file(content))
    assert message in refused.value.message
