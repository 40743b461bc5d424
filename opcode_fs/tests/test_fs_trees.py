"""Copying, moving and deleting directories, links and what is neither."""

import os
import shutil
import stat as modes
from pathlib import Path

import pytest

from opcode_core import ErrorCode, OpcodeError
from opcode_fs import actions as fs
from opcode_fs import trees
from opcode_testkit.actions import call


async def refused(action, params) -> OpcodeError:
    with pytest.raises(OpcodeError) as error:
        await call(action, params)
    return error.value


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "src/sub").mkdir(parents=True)
    (tmp_path / "src/run.sh").write_text("12345")
    (tmp_path / "src/run.sh").chmod(0o755)
    (tmp_path / "src/sub/b").write_text("678")
    (tmp_path / "src/link").symlink_to("sub/b")
    os.utime(tmp_path / "src/run.sh", (1_000_000_000, 1_000_000_000))
    return tmp_path / "src"


def looks_like_the_source(copied: Path) -> bool:
    script = copied / "run.sh"
    return (
        script.read_text() == "12345"
        and modes.S_IMODE(script.stat().st_mode) == 0o755
        and script.stat().st_mtime == 1_000_000_000
        and (copied / "sub/b").read_text() == "678"
        and os.readlink(copied / "link") == "sub/b"
    )


async def test_a_copy_keeps_content_permissions_times_and_links(source: Path):
    target = source.parent / "dst"
    copied = await call(fs.copy, {"src": str(source), "dst": str(target)})
    assert copied == {"src": str(source), "dst": str(target), "size": 8, "is_dir": True}
    assert looks_like_the_source(target)


async def test_a_copy_can_be_repeated_and_leaves_what_else_is_there(source: Path):
    target = source.parent / "dst"
    params = {"src": str(source), "dst": str(target)}
    first = await call(fs.copy, params)
    (target / "mine").write_text("mine")
    (target / "sub/b").write_text("changed")
    assert await call(fs.copy, params) == first
    assert looks_like_the_source(target)
    assert (target / "mine").read_text() == "mine"
    assert sorted(os.listdir(target)) == ["link", "mine", "run.sh", "sub"]


async def test_a_directory_with_a_pipe_in_it_is_refused_before_anything_is_copied(source: Path):
    os.mkfifo(source / "sub/pipe")
    for action in (fs.copy, fs.move):
        error = await refused(action, {"src": str(source), "dst": str(source.parent / "dst")})
        assert error.message == f"{source}/sub/pipe is not a regular file"
        assert not (source.parent / "dst").exists()


async def test_a_directory_does_not_take_the_place_of_a_file_nor_a_file_that_of_a_directory(source: Path):
    (source.parent / "dst").mkdir()
    (source.parent / "dst/sub").write_text("a file")
    error = await refused(fs.copy, {"src": str(source), "dst": str(source.parent / "dst")})
    assert (error.code, "dst/sub is there already" in error.message) == (ErrorCode.CONFLICT, True)
    (source.parent / "other/run.sh").mkdir(parents=True)
    error = await refused(fs.copy, {"src": str(source), "dst": str(source.parent / "other")})
    assert (error.code, "other/run.sh is a directory" in error.message) == (ErrorCode.CONFLICT, True)


async def test_moving_a_directory(source: Path):
    target = source.parent / "x/dst"
    moved = await call(fs.move, {"src": str(source), "dst": str(target), "create_dirs": True})
    assert (moved["size"], moved["is_dir"]) == (8, True)
    assert looks_like_the_source(target)
    assert not source.exists()


async def test_moving_replaces_a_file_but_never_with_a_directory(source: Path):
    (source.parent / "old").write_text("old")
    error = await refused(fs.move, {"src": str(source), "dst": str(source.parent / "old")})
    assert (error.code, "name a path that does not" in error.message) == (ErrorCode.CONFLICT, True)
    await call(fs.move, {"src": str(source / "run.sh"), "dst": str(source.parent / "old")})
    assert (source.parent / "old").read_text() == "12345"


async def test_moving_a_link_moves_the_link(source: Path):
    (source.parent / "shortcut").symlink_to(source)
    moved = await call(fs.move, {"src": str(source.parent / "shortcut"), "dst": str(source.parent / "new")})
    assert not moved["is_dir"]
    assert os.readlink(source.parent / "new") == str(source)
    assert looks_like_the_source(source)


async def test_moving_to_another_file_system(source: Path):
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK) or shared.stat().st_dev == source.stat().st_dev:
        pytest.skip("there is no second file system here")
    target = shared / f"opcode-fs-test-{os.getpid()}"
    try:
        await call(fs.move, {"src": str(source), "dst": str(target)})
        assert looks_like_the_source(target)
        assert not source.exists()
    finally:
        if target.exists():
            shutil.rmtree(target)


async def test_a_source_that_is_not_there_is_named(tmp_path: Path):
    for action in (fs.copy, fs.move):
        error = await refused(action, {"src": str(tmp_path / "none"), "dst": str(tmp_path / "b")})
        assert (error.code, error.message) == (ErrorCode.NOT_FOUND, f"{tmp_path}/none does not exist")


async def test_a_tree_that_is_too_large_is_refused(source: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trees, "MAX_ENTRIES", 3)
    error = await refused(fs.copy, {"src": str(source), "dst": str(source.parent / "dst")})
    assert error.message == f"{source} holds more than 3 entries"


async def test_special_files_and_the_root_are_not_deleted(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in (await refused(fs.delete, {"path": str(tmp_path / "pipe")})).message
    assert (tmp_path / "pipe").exists()
    # Not recursive, so that even without the check nothing could be lost.
    assert "the root of all files" in (await refused(fs.delete, {"path": "/"})).message


@pytest.mark.parametrize("action", [fs.read, fs.write, fs.append, fs.delete, fs.list_, fs.stat])
async def test_a_name_that_is_too_long_is_said_so(tmp_path: Path, action):
    params = {"path": str(tmp_path / ("x" * 300))} | (
        {"content": ""} if action in (fs.write, fs.append) else {}
    )
    error = await refused(action, params)
    assert error.code is ErrorCode.VALIDATION_ERROR
    assert "is too long a name" in error.message


async def test_a_target_whose_name_is_too_long_is_said_so(source: Path):
    for action in (fs.copy, fs.move):
        error = await refused(action, {"src": str(source / "run.sh"), "dst": str(source / ("x" * 300))})
        assert "is too long a name" in error.message
    assert sorted(os.listdir(source)) == ["link", "run.sh", "sub"]
