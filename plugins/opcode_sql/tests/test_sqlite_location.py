"""Storage URLs."""

from pathlib import Path

import pytest

from opcode_core import ErrorCode, OpcodeError
from opcode_sql.location import Location
from opcode_sql.plugin import opcode_storage_backends


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////var/lib/opcode.db", Path("/var/lib/opcode.db")),
        ("sqlite:///opcode.db", Path.cwd() / "opcode.db"),
        ("sqlite:///./a/b.db", Path.cwd() / "a/b.db"),
        ("sqlite:///~/.opcode/opcode.db", Path.home() / ".opcode/opcode.db"),
        ("sqlite:////tmp/a b.db", Path("/tmp/a b.db")),
        ("sqlite:////tmp/100%25%3F%23.db?durability=normal", Path("/tmp/100%?#.db")),
        ("sqlite:////tmp/été.db", Path("/tmp/été.db")),
    ],
)
def test_the_path_in_a_url(url, path):
    assert Location.from_url(url).path == path


def test_parameters():
    assert Location.from_url("sqlite:///a.db").durability == "full"
    assert Location.from_url("sqlite:///a.db").busy_timeout == 5.0
    location = Location.from_url("sqlite:///a.db?durability=normal&busy_timeout=250ms")
    assert (location.durability, location.busy_timeout) == ("normal", 0.25)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite://", "sqlite:///FILE"),
        ("sqlite:///", "sqlite:///FILE"),
        ("sqlite:a.db", "sqlite:///FILE"),
        ("sqlite://host/a.db", "sqlite:///FILE"),
        ("postgresql:///a.db", "sqlite:///FILE"),
        ("sqlite:///a%00b", "sqlite:///FILE"),
        ("sqlite:///:memory:", "memory://"),
        ("sqlite:///~nobody-at-all/a.db", "home"),
        ("sqlite:///a.db?durabilty=full", "unknown parameter 'durabilty', did you mean 'durability'?"),
        ("sqlite:///a.db?x=1", "there are durability and busy_timeout"),
        ("sqlite:///a.db?durability=none", "durability is 'none'; it is 'full' or 'normal'"),
        ("sqlite:///a.db?durability=", "durability is ''"),
        ("sqlite:///a.db?busy_timeout=soon", "busy_timeout: cannot read the duration 'soon'"),
        ("sqlite:///a.db?busy_timeout=-1s", "busy_timeout"),
        ("sqlite:///a.db?busy_timeout=2d", "at most 3600s"),
    ],
)
def test_a_url_that_says_nothing_good_is_refused(url, said):
    with pytest.raises(OpcodeError) as caught:
        opcode_storage_backends()["sqlite"](url)
    assert caught.value.code is ErrorCode.VALIDATION_ERROR
    assert said in caught.value.message
    assert url in caught.value.message
