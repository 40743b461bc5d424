"""Files as the actions see them: whole writes, plain errors, paths within the policy."""

import base64
import os
import stat as modes
from pathlib import Path

import pytest

from opcode_core import ErrorCode, OpcodeError
from opcode_fs import actions as fs
from opcode_fs import files
from opcode_testkit.actions import call


async def refused(action, params) -> OpcodeError:
    with pytest.raises(OpcodeError) as error:
        await call(action, params)
    return error.value


async def test_what_is_written_can_be_read(tmp_path: Path):
    path = str(tmp_path / "a.txt")
    text = 'quote " and é 🎉\nline'
    assert await call(fs.write, {"path": path, "content": text}) == {"path": path, "size": len(text.encode())}
    read = await call(fs.read, {"path": path})
    assert read == {"path": path, "content": text, "encoding": "text", "size": len(text.encode())}


async def test_bytes_that_are_not_text_come_as_base64(tmp_path: Path):
    (tmp_path / "b").write_bytes(b"\xff\x00\x01")
    read = await call(fs.read, {"path": str(tmp_path / "b")})
    assert (read["encoding"], base64.b64decode(read["content"])) == ("base64", b"\xff\x00\x01")
    error = await refused(fs.read, {"path": str(tmp_path / "b"), "encoding": "text"})
    assert "is not UTF-8 text (at byte 0)" in error.message
    await call(fs.write, {"path": str(tmp_path / "c"), "content": read["content"], "encoding": "base64"})
    assert (tmp_path / "c").read_bytes() == b"\xff\x00\x01"


@pytest.mark.parametrize(("mode", "expected"), [("0600", 0o600), (0o755, 0o755), (None, 0o644)])
async def test_permissions(tmp_path: Path, mode, expected: int):
    params = {"path": str(tmp_path / "a"), "content": ""} | ({"mode": mode} if mode is not None else {})
    await call(fs.write, params)
    assert modes.S_IMODE((tmp_path / "a").stat().st_mode) == expected
    assert (await call(fs.stat, {"path": str(tmp_path / "a")}))["permissions"] == f"{expected:04o}"


@pytest.mark.parametrize("mode", ["rwx", "9", 644, 0o1777, -1])
async def test_a_mode_that_is_none_is_refused(tmp_path: Path, mode):
    error = await refused(fs.write, {"path": str(tmp_path / "a"), "content": "", "mode": mode})
    assert "is not a permission" in error.message


async def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(tmp_path: Path, monkeypatch):
    target = tmp_path / "a"
    target.write_text("old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    error = await refused(fs.write, {"path": str(target), "content": "new"})
    assert "the disk is full" in error.message
    assert target.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["a"]


async def test_a_missing_directory_is_made_only_when_asked_for(tmp_path: Path):
    path = str(tmp_path / "x/y/a")
    error = await refused(fs.write, {"path": path, "content": ""})
    assert error.code is ErrorCode.NOT_FOUND
    assert "use create_dirs: true" in error.message
    await call(fs.write, {"path": path, "content": "1", "create_dirs": True})
    assert Path(path).read_text() == "1"


async def test_a_file_is_no_directory_to_write_into(tmp_path: Path):
    (tmp_path / "a").write_text("")
    for create in (False, True):
        error = await refused(fs.write, {"path": str(tmp_path / "a/b"), "content": "", "create_dirs": create})
        assert error.message == f"{tmp_path}/a is not a directory"
    deeper = await refused(fs.write, {"path": str(tmp_path / "a/b/c"), "content": "", "create_dirs": True})
    assert "lies below something that is not a directory" in deeper.message


async def test_append_needs_a_directory_and_text_that_has_bytes(tmp_path: Path):
    error = await refused(fs.append, {"path": str(tmp_path / "no/log"), "content": "x"})
    assert error.message == f"{tmp_path}/no does not exist; use create_dirs: true"
    assert (
        "'content' cannot be written as text"
        in (await refused(fs.append, {"path": str(tmp_path / "log"), "content": "\ud800"})).message
    )
    assert not (tmp_path / "log").exists()


async def test_append_makes_the_file_and_adds_to_it(tmp_path: Path):
    path = str(tmp_path / "log")
    assert await call(fs.append, {"path": path, "content": "a\n"}) == {"path": path, "size": 2}
    assert await call(fs.append, {"path": path, "content": "é"}) == {"path": path, "size": 4}


async def test_deleting(tmp_path: Path):
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/f").write_text("x")
    path = str(tmp_path / "d")
    error = await refused(fs.delete, {"path": path})
    assert (error.code, "use recursive: true" in error.message) == (ErrorCode.CONFLICT, True)
    assert await call(fs.delete, {"path": path, "recursive": True}) == {"path": path, "deleted": True}
    assert await call(fs.delete, {"path": path}) == {"path": path, "deleted": False}


async def test_deleting_a_link_leaves_what_it_leads_to(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    await call(fs.delete, {"path": str(tmp_path / "link"), "recursive": True})
    assert (tmp_path / "real/file").exists()
    assert not (tmp_path / "link").is_symlink()


async def test_listing(tmp_path: Path):
    (tmp_path / "b.json").write_text("{}")
    (tmp_path / "a.txt").write_text("abc")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/c.json").write_text("")
    listed = await call(fs.list_, {"path": str(tmp_path)})
    assert [(e["name"], e["size"], e["is_dir"]) for e in listed["entries"]][:2] == [
        ("a.txt", 3, False),
        ("b.json", 2, False),
    ]
    assert listed["entries"][2]["is_dir"]
    assert listed["entries"][0]["modified_at"].endswith("Z")
    deep = await call(fs.list_, {"path": str(tmp_path), "pattern": "*.json", "recursive": True})
    assert [e["path"] for e in deep["entries"]] == [str(tmp_path / "b.json"), str(tmp_path / "sub/c.json")]


@pytest.mark.parametrize("pattern", ["../*", "/etc/*"])
async def test_a_pattern_stays_in_its_directory(tmp_path: Path, pattern: str):
    assert "leads out" in (await refused(fs.list_, {"path": str(tmp_path), "pattern": pattern})).message


@pytest.mark.parametrize("action", [fs.read, fs.stat, fs.list_])
async def test_what_is_not_there_is_not_found(tmp_path: Path, action):
    error = await refused(action, {"path": str(tmp_path / "none")})
    assert error.code is ErrorCode.NOT_FOUND
    assert str(tmp_path / "none") in error.message


async def test_copy_and_move(tmp_path: Path):
    source, there = tmp_path / "a", tmp_path / "dir"
    source.write_text("abc")
    there.mkdir()
    copied = await call(fs.copy, {"src": str(source), "dst": str(there)})
    assert copied == {"src": str(source), "dst": str(there / "a"), "size": 3, "is_dir": False}
    moved = await call(fs.move, {"src": str(source), "dst": str(tmp_path / "x/b"), "create_dirs": True})
    assert moved["size"] == 3
    assert not source.exists()
    assert (tmp_path / "x/b").read_text() == "abc"


async def test_copying_a_directory(tmp_path: Path):
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/e/f").write_text("12345")
    copied = await call(fs.copy, {"src": str(tmp_path / "d"), "dst": str(tmp_path / "g")})
    assert copied == {"src": str(tmp_path / "d"), "dst": str(tmp_path / "g"), "size": 5, "is_dir": True}
    error = await refused(fs.copy, {"src": str(tmp_path / "d"), "dst": str(tmp_path / "d/inside")})
    assert "is the source itself or lies in it" in error.message


async def test_moving_onto_a_directory_is_a_conflict(tmp_path: Path):
    (tmp_path / "d").mkdir()
    (tmp_path / "e").mkdir()
    error = await refused(fs.move, {"src": str(tmp_path / "d"), "dst": str(tmp_path / "e")})
    assert error.code is ErrorCode.CONFLICT


async def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(files, "MAX_READ", 10)
    (tmp_path / "a").write_bytes(b"x" * 11)
    assert "has 11 bytes; at most 10" in (await refused(fs.read, {"path": str(tmp_path / "a")})).message


@pytest.mark.parametrize("action", [fs.read, fs.append, fs.write])
async def test_a_pipe_is_refused_and_does_not_block(tmp_path: Path, action):
    os.mkfifo(tmp_path / "pipe")
    params = {"path": str(tmp_path / "pipe")} | ({} if action is fs.read else {"content": "x"})
    assert (await refused(action, params)).code in (ErrorCode.VALIDATION_ERROR, ErrorCode.EXECUTION_ERROR)
