"""Rules as trees that are allowed."""

import pytest

from opcode_landlock.landlock import READ, READ_DIR, rights
from opcode_landlock.trees import allowed

NOTHING = {"everything": False, "read_only": [], "writable": [], "deny": [], "closed": [], "links": []}
ALL = -1


@pytest.fixture
def data(tmp_path):
    for name in ("a/one", "a/two", "b"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a/file").touch()
    (tmp_path / "link").symlink_to("a")
    return tmp_path


def below(data, **rules):
    found = allowed(
        {**NOTHING, **{name: [str(data / path) for path in paths] for name, paths in rules.items()}}
    )
    return {path.removeprefix(f"{data}/"): level for path, level in found if path.startswith(str(data))}


def test_a_tree_is_one_rule(data):
    assert set(below(data, writable=["a"])) == {"a"}
    assert below(data, writable=["a"])["a"] == ALL
    assert below(data, read_only=["a"])["a"] & READ == READ


def test_what_is_denied_is_carved_out_and_nothing_can_be_made_above_it(data):
    found = below(data, writable=["."], deny=["a/one"])
    assert found == {"a/two": ALL, "a/file": ALL, "b": ALL, str(data): 0, "a": 0}


def test_above_a_denied_file_names_can_be_seen(data):
    found = below(data, writable=["."], deny=["a/file"])
    assert found == {"a/one": ALL, "a/two": ALL, "b": ALL, str(data): READ_DIR, "a": READ_DIR}


def test_what_is_only_read_inside_what_is_written(data):
    found = below(data, writable=["."], read_only=["a/one"])
    assert found["a/two"] == found["b"] == ALL
    assert found["a/one"] != ALL
    assert found["a"] == READ


def test_what_is_written_inside_what_is_only_read(data):
    found = below(data, read_only=["."], writable=["a/one"])
    assert found["a/one"] == ALL
    assert found[str(data)] != ALL


def test_a_closed_folder_keeps_what_is_in_it(data):
    assert below(data, writable=["."], closed=["a"]) == {
        "a/one": ALL,
        "a/two": ALL,
        "a/file": ALL,
        "b": ALL,
        "a": READ,
        str(data): READ,
    }


def test_denied_wins_over_what_is_below_it(data):
    assert below(data, writable=["a/one"], deny=["a"]) == {}


def test_everything_is_all_but_devices_and_the_kernels_files():
    found = dict(allowed({**NOTHING, "everything": True}))
    assert found["/dev/null"] == ALL
    assert "/dev" not in found or found["/dev"] in {0, READ_DIR}
    assert found["/proc"] != ALL
    assert found["/"] == READ_DIR


def test_each_version_withholds_more():
    assert [rights(abi).bit_count() for abi in (1, 2, 3, 4, 5, 7)] == [13, 14, 15, 15, 16, 16]
