"""Settings of durability: how they are read, and what the storage is told."""

from dataclasses import fields
from pathlib import Path

import pytest

from opcode_core import OpcodeError
from opcode_core.cli.main import COMMANDS
from opcode_core.settings import Settings, load_settings


def load(tmp_path, **environment):
    return load_settings(
        {}, {f"OPCODE_{name.upper()}": text for name, text in environment.items()}, tmp_path / "none"
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30d", 30 * 86400.0), ("90", 90.0), ("1h30m", 5400.0), ("none", None), ("None", None)],
)
def test_retention(tmp_path, text, seconds):
    assert load(tmp_path, retention=text).retention == seconds


def test_what_is_not_said(tmp_path):
    made = load(tmp_path)
    assert (made.recovery, made.retention, made.durability) == ("resume", None, "full")
    assert load(tmp_path, recovery="Suspend").recovery == "suspend"


def test_a_file_says_it_too(tmp_path):
    file = tmp_path / "settings.json"
    file.write_text('{"retention": 60, "recovery": "suspend"}')
    made = load_settings({}, {}, file)
    assert (made.retention, made.recovery) == (60.0, "suspend")
    file.write_text('{"retention": true}')
    with pytest.raises(OpcodeError, match=r"retention: expected a duration such as \"30s\""):
        load_settings({}, {}, file)


@pytest.mark.parametrize(
    ("storage", "url"),
    [
        ("sqlite:///a.db", "sqlite:///a.db?durability=normal"),
        ("sqlite:///a.db?busy_timeout=1s", "sqlite:///a.db?busy_timeout=1s&durability=normal"),
        ("sqlite:///a.db?durability=full", "sqlite:///a.db?durability=full"),
        ("postgresql://h/db", "postgresql://h/db"),
        ("memory:", "memory:"),
    ],
)
def test_sqlite_is_told_how_durable_it_is(tmp_path, storage, url):
    assert load(tmp_path, storage=storage, durability="normal").storage_url == url


def test_the_database_obeys(opcode, home):
    for durability in ("full", "normal"):
        assert opcode("query", "workflows", OPCODE_DURABILITY=durability).returncode == 0
    done = opcode("query", "workflows", OPCODE_DURABILITY="half")
    assert done.returncode == 2
    assert done.stderr == "opcode: OPCODE_DURABILITY is 'half'; it must be one of full, normal\n"


def test_the_page_about_commands_names_every_command_and_setting():
    page = (Path(__file__).parents[3] / "docs/commands.md").read_text()
    assert [name for name in COMMANDS if f"`opcode {name}" not in page] == []
    assert [field.name for field in fields(Settings) if f"`OPCODE_{field.name.upper()}`" not in page] == []
