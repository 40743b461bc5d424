"""What fs.list finds."""

import os
from pathlib import Path

import pytest

from opcode_core import ErrorCode, OpcodeError
from opcode_fs import actions as fs
from opcode_fs import globs
from opcode_testkit.actions import call


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.json", "a.txt", ".hidden", "sub/c.json", "sub/deep/d.json", "sub/deep/e.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


async def found(tree: Path, **params) -> list[str]:
    listed = await call(fs.list_, {"path": str(tree), **params})
    return [str(Path(entry["path"]).relative_to(tree)) for entry in listed["entries"]]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, [".hidden", "a.txt", "b.json", "sub"]),
        ({"pattern": "*.json"}, ["b.json"]),
        ({"pattern": "[ab].*"}, ["a.txt", "b.json"]),
        ({"pattern": "?.txt"}, ["a.txt"]),
        ({"pattern": "sub/*"}, ["sub/c.json", "sub/deep"]),
        ({"pattern": "*/*.json"}, ["sub/c.json"]),
        ({"pattern": "**/*.json"}, ["b.json", "sub/c.json", "sub/deep/d.json"]),
        ({"pattern": "sub/**/*.txt"}, ["sub/deep/e.txt"]),
        ({"pattern": "*.json", "recursive": True}, ["b.json", "sub/c.json", "sub/deep/d.json"]),
        ({"pattern": "deep/*", "recursive": True}, ["sub/deep/d.json", "sub/deep/e.txt"]),
        (
            {"recursive": True},
            [
                ".hidden",
                "a.txt",
                "b.json",
                "sub",
                "sub/c.json",
                "sub/deep",
                "sub/deep/d.json",
                "sub/deep/e.txt",
            ],
        ),
        ({"pattern": "nothing*"}, []),
        ({"pattern": "[a"}, []),
    ],
)
async def test_patterns(tree: Path, params, expected: list[str]):
    assert await found(tree, **params) == expected


async def test_many_wildcards_take_no_time(tree: Path):
    (tree / ("a" * 200)).write_text("")
    assert await found(tree, pattern="/".join(["**"] * 30) + "/" + "*a" * 40 + "b") == []


async def test_links_are_listed_as_links_and_not_followed(tree: Path):
    (tree / "again").symlink_to(tree)
    (tree / "dangling").symlink_to(tree / "none")
    listed = await call(fs.list_, {"path": str(tree), "pattern": "[ad][gn]*"})
    assert [(entry["name"], entry["is_dir"]) for entry in listed["entries"]] == [("again", False)]
    assert "dangling" in await found(tree)
    assert not [path for path in await found(tree, recursive=True) if path.startswith("again/")]


async def test_a_name_that_is_not_text_can_be_listed(tmp_path: Path):
    os.close(os.open(os.fsencode(tmp_path) + b"/\xff", os.O_CREAT))
    assert await found(tmp_path) == [os.fsdecode(b"\xff")]


async def test_a_file_is_not_a_directory(tree: Path):
    with pytest.raises(OpcodeError, match=r"a\.txt is not a directory") as error:
        await found(tree / "a.txt")
    assert error.value.code is ErrorCode.VALIDATION_ERROR


async def test_too_many_entries_are_refused(tree: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(globs, "MAX_FOUND", 3)
    with pytest.raises(OpcodeError, match="has more than 3 such entries; use a narrower 'pattern'"):
        await found(tree)
    assert await found(tree, pattern="*.json", recursive=True)
    monkeypatch.setattr(globs, "MAX_LOOKED_AT", 5)
    with pytest.raises(OpcodeError, match="holds more than 5 entries"):
        await found(tree, pattern="none", recursive=True)
