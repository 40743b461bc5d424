"""Each setting takes what it can mean, from each source, and refuses the rest in one clear line."""

import json
from pathlib import Path
from typing import Any

import pytest

from opcode_core import ErrorCode, OpcodeError
from opcode_core.settings import Settings, load_settings


def load(tmp_path: Path, content: Any = None, environment: Any = None, **flags: Any) -> Settings:
    path = tmp_path / "settings.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return load_settings(flags, environment or {}, path)


@pytest.mark.parametrize(
    "name", ["db_path", "storage", "pool_size", "log_level", "durability", "plugins_allow", "plugins_deny"]
)
def test_null_in_the_file_means_the_default(tmp_path: Path, name: str):
    assert load(tmp_path, {name: None}) == Settings()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"db_path": [1]}, "db_path is [1]; it must be the path of a file"),
        ({"db_path": ""}, "db_path is ''; it must be the path of a file"),
        ({"db_path": "a\0b"}, "it must be the path of a file"),
        ({"storage": 5}, "storage is 5; it must be a URL"),
        ({"pool_size": True}, "pool_size is True; it must be a number from 1 to 10000"),
        ({"pool_size": 10_001}, "pool_size is 10001; it must be a number from 1 to 10000"),
        ({"pool_size": "²"}, "pool_size is '²'; it must be a number"),
        ({"pool_size": "9" * 5000}, "it must be a number from 1 to 10000"),
        ({"pool_size": 2.5}, "pool_size is 2.5; it must be a number"),
        ({"log_level": "warn"}, "log_level is 'warn'; it must be one of debug, info, warning, error"),
        ({"durability": 1}, "durability is '1'; it must be one of full, normal"),
        ({"plugins_allow": 5}, "plugins_allow is 5; it must be a list of names"),
        ({"plugins_deny": {"a": 1}}, "plugins_deny is {'a': 1}; it must be a list of names"),
        ({"plugins_deny": ["a", 1]}, "plugins_deny is ['a', 1]; it must be a list of names"),
        ({"pool_sise": 1}, "unknown setting 'pool_sise'; did you mean 'pool_size'?"),
        ({"zzz": 1}, "unknown setting 'zzz'; it has: base_url, breakers, db_path, d"),
        (b"[" * 100_000, "cannot be read: it is nested too deeply"),
        (b"\xff", "cannot be read: 'utf-8' codec can't decode"),
        (b"5", "must hold a JSON object"),
    ],
)
def test_what_a_setting_cannot_be(tmp_path: Path, content: Any, message: str):
    with pytest.raises(OpcodeError) as refused:
        load(tmp_path, content)
    assert refused.value.code is ErrorCode.VALIDATION_ERROR
    assert refused.value.message.startswith(str(tmp_path / "settings.json"))
    assert message in refused.value.message


def test_a_folder_in_place_of_the_file_is_told(tmp_path: Path):
    with pytest.raises(OpcodeError, match="cannot be read: "):
        load_settings({}, {}, tmp_path)


def test_a_wrong_flag_is_named_as_it_is_typed(tmp_path: Path):
    with pytest.raises(OpcodeError, match="--pool-size is '0'; it must be a number"):
        load(tmp_path, pool_size="0")


def test_each_variable_is_read(tmp_path: Path):
    made = load(
        tmp_path,
        environment={
            "OPCODE_DB_PATH": "/data/o.db",
            "OPCODE_STORAGE": "memory:",
            "OPCODE_POOL_SIZE": "7",
            "OPCODE_LOG_LEVEL": "Debug",
            "OPCODE_DURABILITY": "NORMAL",
            "OPCODE_PLUGINS_ALLOW": "a,b",
            "OPCODE_PLUGINS_DENY": "",
            "OPCODE_UNKNOWN": "1",
        },
    )
    assert made == Settings(Path("/data/o.db"), "memory:", 7, "debug", "normal", ("a", "b"), ())


def test_the_environment_of_the_process_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPCODE_POOL_SIZE", "9")
    assert load_settings(file=tmp_path / "none.json").pool_size == 9


def test_the_file_in_the_home_folder_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".opcode").mkdir()
    (tmp_path / ".opcode/settings.json").write_text('{"pool_size": 4}')
    made = load_settings({}, {})
    assert made.pool_size == 4
    assert made.storage_url == f"sqlite:///{tmp_path}/.opcode/opcode.db?durability=full"


def test_an_empty_list_of_allowed_plugins_allows_none(tmp_path: Path):
    assert load(tmp_path, {"plugins_allow": []}).plugins_allow == ()
    assert load(tmp_path, plugins_deny=("a ", "")).plugins_deny == ("a",)
