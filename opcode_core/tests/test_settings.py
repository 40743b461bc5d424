"""Flags over variables over the file."""

import json
from pathlib import Path

import pytest

from opcode_core import OpcodeError
from opcode_core.engine.breaker import BreakerPolicy
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


def test_paths_are_absolute_wherever_they_come_from(file, tmp_path: Path):
    made = load_settings(
        {}, {"OPCODE_DENY_PATHS": "/a,b:~/c"}, file({"read_only_paths": ["/d"], "writable_paths": ["/e"]})
    )
    assert made.deny_paths == (Path("/a,b"), Path("~/c"))
    assert (made.read_only_paths, made.writable_paths) == ((Path("/d"),), (Path("/e"),))


@pytest.mark.parametrize("name", ["read_only_paths", "writable_paths", "deny_paths"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["secrets"], "holds 'secrets'; a path there begins with / or ~"),
        (["."], "begins with / or ~"),
        (["/a\0b"], "begins with / or ~"),
        (["~nobody-of-that-name/x"], "cannot be resolved"),
        ({"a": 1}, "it must be a list of paths"),
        ([1], "it must be a list of paths"),
        (5, "it must be a list of paths"),
    ],
)
def test_a_rule_that_would_not_hold_everywhere_is_refused(file, name: str, value: object, message: str):
    with pytest.raises(OpcodeError) as refused:
        load_settings({}, {}, file({name: value}))
    assert f"settings.json: {name}" in refused.value.message or name in refused.value.message
    assert message in refused.value.message


def test_what_is_opcode_s_own_is_denied_wherever_it_lies(file, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    database = tmp_path / "project/a b?.db"
    rules = load_settings({}, {"OPCODE_DB_PATH": str(database)}, file({})).paths
    for path in (database, Path(f"{database}-wal"), Path(f"{database}-shm"), Path("~/.opcode/settings.json")):
        with pytest.raises(OpcodeError, match="keeps what is its own"):
            rules.readable_path(str(path))
    assert rules.writable_path(str(tmp_path / "project/other"))
    for path in (tmp_path / "project", tmp_path / "home"):
        with pytest.raises(OpcodeError, match="which is OPCODE's own"):
            rules.removable_path(str(path))


def test_what_is_opcode_s_own_is_opened_by_a_rule_that_names_it(file, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    given = {"writable_paths": [str(tmp_path), "~/.opcode/exports"], "read_only_paths": ["~/.opcode/texts"]}
    rules = load_settings({}, {}, file(given)).paths
    assert rules.writable_path("~/.opcode/exports/x")
    assert rules.readable_path("~/.opcode/texts/x")
    with pytest.raises(OpcodeError, match="may only be read"):
        rules.writable_path("~/.opcode/texts/x")
    with pytest.raises(OpcodeError, match="keeps what is its own"):
        rules.readable_path("~/.opcode/opcode.db")


@pytest.mark.parametrize("url", ["memory:", "sqlite://", "sqlite:///", "postgresql://x/y"])
def test_a_storage_that_is_no_file_has_none_to_protect(file, url: str, tmp_path: Path):
    assert load_settings({}, {"OPCODE_STORAGE": url}, file({})).paths.readable_path(str(tmp_path))


def test_when_breakers_open(file):
    given = {"http.get": {"failures": 20, "pause": "10s"}, "shell.exec": False, "*": {"failures": 9}}
    made = load_settings({}, {}, file({"breakers": given})).breakers
    assert made["http.get"] == BreakerPolicy(20, 10.0)
    assert made["*"] == BreakerPolicy(9, 30.0)
    assert made["shell.exec"].failures > 10**12
    assert (
        load_settings({}, {"OPCODE_BREAKERS": '{"a.b": {"pause": 5}}'}, file({})).breakers["a.b"].pause == 5.0
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("[]", "OPCODE_BREAKERS must be an object"),
        ("{", "OPCODE_BREAKERS is not JSON"),
        ('{"a.b": true}', "OPCODE_BREAKERS: a.b is True; write"),
        ('{"a.b": {"failures": 0}}', "OPCODE_BREAKERS: a.b.failures is 0; it must be a whole number from 1"),
        ('{"a.b": {"pause": "soon"}}', "OPCODE_BREAKERS: a.b.pause: "),
        ('{"a.b": {"fails": 2}}', "OPCODE_BREAKERS: a.b is "),
    ],
)
def test_wrong_breakers(file, given, message):
    with pytest.raises(OpcodeError) as refused:
        load_settings({}, {"OPCODE_BREAKERS": given}, file({}))
    assert message in refused.value.message


def test_where_connections_may_go(file):
    made = load_settings({"listen_addr": "127.0.0.1:0"}, {"OPCODE_HTTP_ALLOW_PRIVATE": "no"}, file({}))
    assert (made.network.allow_private, made.network.own_ports) == (False, frozenset())
    made = load_settings({}, {}, file({"http_allow_private": False, "listen_addr": "[::1]:4200"}))
    assert (made.network.allow_private, made.network.own_ports) == (False, {4200})
    with pytest.raises(OpcodeError, match="OPCODE_HTTP_ALLOW_PRIVATE is 'flase'; it must be true or false"):
        load_settings({}, {"OPCODE_HTTP_ALLOW_PRIVATE": "flase"}, file({}))
