"""Links that are swapped between the look and the use: a process does so thousands of times meanwhile."""

import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from opcode_core import ErrorCode, OpcodeError, PathPolicy
from opcode_fs import actions as fs
from opcode_testkit.actions import make_context

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux exchanges two names at once")

# `door` is a directory, then a link to what is denied, then a directory again, as fast as it goes; never nothing.
SWAPPER = """
import ctypes, os, sys
os.chdir(sys.argv[1])
swap = ctypes.CDLL(None, use_errno=True).renameat2
HERE, EXCHANGE = -100, 2
if swap(HERE, b"door", HERE, b"trap", EXCHANGE) or swap(HERE, b"door", HERE, b"trap", EXCHANGE):
    sys.exit(f"swapping does not work here: {os.strerror(ctypes.get_errno())}")
print("ready", flush=True)
times = 0
while os.getppid() == int(sys.argv[2]) and not os.path.exists("stop"):
    for _ in range(50):
        times += not swap(HERE, b"door", HERE, b"trap", EXCHANGE)
print(times, flush=True)
"""
OPERATIONS = 400
SWAPS = 1000
SECONDS = 20
LEGITIMATE = {ErrorCode.PATH_DENIED, ErrorCode.NOT_FOUND, ErrorCode.CONFLICT}


@contextmanager
def swapping(folder: Path):
    """Swap until the block ends, and see that there was enough of it."""
    command = [sys.executable, "-c", SWAPPER, str(folder), str(os.getpid())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as swapper:
        assert swapper.stdout.readline() == "ready\n"
        try:
            yield
        finally:
            (folder / "stop").touch()
            times = int(swapper.stdout.readline())
    assert swapper.returncode == 0
    assert times > SWAPS, "too few swaps to mean anything"


@pytest.fixture
def field(tmp_path: Path) -> Path:
    """A directory that is allowed, with a door in it, and one that is denied."""
    for name in ("ok/door/sub", "ok/out", "denied/sub"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("file", "sub/deep"):
        (tmp_path / "ok/door" / name).write_text("open")
        (tmp_path / "denied" / name).write_text("secret")
    (tmp_path / "ok/trap").symlink_to(tmp_path / "denied")
    return tmp_path


def read(call, ok: Path):
    assert call(fs.read, path=f"{ok}/door/file")["content"] == "open"


def stat(call, ok: Path):
    assert call(fs.stat, path=f"{ok}/door/file")["size"] == len("open")


def list_(call, ok: Path):
    listed = call(fs.list_, path=f"{ok}/door", recursive=True)["entries"]
    assert all(entry["size"] == len("open") for entry in listed if not entry["is_dir"])


def list_from_above(call, ok: Path):
    listed = call(fs.list_, path=str(ok), pattern="door/**")["entries"]
    assert all(entry["size"] == len("open") for entry in listed if entry["name"] in ("file", "deep"))


def write(call, ok: Path):
    call(fs.write, path=f"{ok}/door/file", content="open")


def write_deeply(call, ok: Path):
    call(fs.write, path=f"{ok}/door/new/newer/file", content="open", create_dirs=True)


def append(call, ok: Path):
    call(fs.append, path=f"{ok}/door/log", content="open")


def delete_file(call, ok: Path):
    call(fs.delete, path=f"{ok}/door/file")
    call(fs.write, path=f"{ok}/door/file", content="open")


def delete_tree(call, ok: Path):
    call(fs.delete, path=f"{ok}/door/sub", recursive=True)
    call(fs.write, path=f"{ok}/door/sub/deep", content="open", create_dirs=True)


def copy_out(call, ok: Path):
    target = ok / "out/copy"
    call(fs.delete, path=str(target), recursive=True)
    try:
        call(fs.copy, src=f"{ok}/door", dst=str(target))
    finally:
        for copied in target.rglob("*") if target.is_dir() and not target.is_symlink() else ():
            assert copied.is_dir() or copied.read_text() == "open"


def copy_in(call, ok: Path):
    (ok / "new/sub").mkdir(parents=True, exist_ok=True)
    (ok / "new/sub/deep").write_text("open")
    call(fs.copy, src=f"{ok}/new", dst=f"{ok}/door")


def move_in(call, ok: Path):
    (ok / "thing").write_text("open")
    call(fs.move, src=f"{ok}/thing", dst=f"{ok}/door/thing")


def move_out(call, ok: Path):
    call(fs.write, path=f"{ok}/door/file", content="open")
    call(fs.move, src=f"{ok}/door/file", dst=f"{ok}/thing")
    assert (ok / "thing").read_text() == "open"


WAYS = [
    read, stat, list_, list_from_above, write, write_deeply, append, delete_file, delete_tree, copy_out, copy_in,
    move_in, move_out,
]  # fmt: skip


REFUSED = [way for way in WAYS if way is not list_from_above]  # which passes over what is no directory


def snapshot(folder: Path) -> dict[str, str | None]:
    return {str(path): None if path.is_dir() else path.read_text() for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize("way", WAYS, ids=[way.__name__ for way in WAYS])
def test_a_link_that_is_swapped_in_leads_nowhere(field: Path, way):
    context = make_context(paths=PathPolicy(writable=(field / "ok",), deny=(field / "denied",)))
    before, came, until = snapshot(field / "denied"), Counter(), time.monotonic() + SECONDS

    def call(action, **params):
        return action.call(params, context)

    with swapping(field / "ok"):
        while came.total() < OPERATIONS or came["done"] < 20 or came["refused"] < (way in REFUSED):
            assert time.monotonic() < until, f"the race was not run often enough: {came}"
            try:
                way(call, field / "ok")
            except OpcodeError as error:
                assert error.code in LEGITIMATE, error
                came["refused" if error.code is ErrorCode.PATH_DENIED else "missed"] += 1
            else:
                came["done"] += 1
    assert snapshot(field / "denied") == before
