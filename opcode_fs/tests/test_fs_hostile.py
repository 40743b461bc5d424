"""What somebody tries who wants out of the allowed paths, or wants the step to hang or to eat the machine."""

import contextlib
import os
import socket
import time
from pathlib import Path

import pytest

from opcode_core import ErrorCode, OpcodeError, PathPolicy
from opcode_fs import actions as fs
from opcode_fs import files
from opcode_testkit.actions import call

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices and mounts")


async def refused(action, params, **context) -> OpcodeError:
    with pytest.raises(OpcodeError) as error:
        await call(action, params, **context)
    return error.value


@pytest.fixture
def field(tmp_path: Path) -> Path:
    (tmp_path / "ok").mkdir()
    (tmp_path / "denied/sub").mkdir(parents=True)
    (tmp_path / "denied/file").write_text("secret")
    (tmp_path / "ok/file").write_text("open")
    return tmp_path


def policy(field: Path, **more) -> PathPolicy:
    return PathPolicy(writable=(field / "ok",), deny=(field / "denied",), **more)


@pytest.mark.parametrize(
    "path",
    [
        "{}/ok/../denied/file",
        "{}/ok/./.././denied//file",
        "{}/ok/none/../../denied/file",
        "{}/ok/link/file",
        "{}/ok/link/sub/../file",
        "{}/ok/chain/file",
        "{}/ok/up/denied/file",
        "/proc/self/root{}/denied/file",
        "/proc/self/cwd/../../../../../../../../../..{}/denied/file",
        "/proc/thread-self/root{}/denied/file",
        "/dev/../{}/denied/file",
        "//{}/denied/file",
        "{}/ok/../../../../../../../../../../../../../../{}/denied/file",
    ],
)
async def test_ways_around_a_rule_lead_to_it(field: Path, path: str):
    (field / "ok/link").symlink_to("../denied")
    (field / "ok/chain").symlink_to(field / "ok/link")
    (field / "ok/up").symlink_to("..")
    given = path.format(*[field] * path.count("{}"))
    for rules in (policy(field), PathPolicy(deny=(field / "denied",))):
        error = await refused(fs.read, {"path": given}, paths=rules)
        assert error.code is ErrorCode.PATH_DENIED
        assert error.details["resolved"] == str(field / "denied/file")
        error = await refused(fs.write, {"path": given, "content": "x"}, paths=rules)
        assert error.code is ErrorCode.PATH_DENIED
    assert (field / "denied/file").read_text() == "secret"


async def test_an_error_names_the_path_the_rule_and_what_to_do(field: Path):
    (field / "ok/link").symlink_to(field / "denied/file")
    path = f"{field}/ok/link"
    error = await refused(fs.read, {"path": path}, paths=policy(field))
    assert error.message == (
        f"{path} lies under a denied path, {field}/denied; deny_paths in the settings forbids it, so use another "
        f"(it leads to {field}/denied/file)"
    )
    error = await refused(fs.read, {"path": "/etc/passwd"}, paths=policy(field))
    assert error.message == (
        f"/etc/passwd lies outside the allowed paths; read_only_paths and writable_paths name {field}/ok"
    )
    rules = policy(field, read_only=(field / "ok/ref",))
    error = await refused(fs.write, {"path": f"{field}/ok/ref/x", "content": ""}, paths=rules)
    assert error.message == (
        f"{field}/ok/ref/x may only be read, for read_only_paths names {field}/ok/ref; write where writable_paths allows it"
    )


async def test_what_does_not_exist_yet_is_judged_by_what_it_will_lie_in(field: Path):
    (field / "ok/link").symlink_to(field / "denied/new")
    for path in ("ok/link", "ok/link/deep/x", "denied/new/x", "ok/none/../../denied/x"):
        params = {"path": f"{field}/{path}", "content": "x", "create_dirs": True}
        assert (await refused(fs.write, params, paths=policy(field))).code is ErrorCode.PATH_DENIED
    assert sorted(os.listdir(field / "denied")) == ["file", "sub"]
    await call(
        fs.write, {"path": f"{field}/ok/a/b/c", "content": "x", "create_dirs": True}, paths=policy(field)
    )
    assert (field / "ok/a/b/c").read_text() == "x"


async def test_a_link_that_a_rule_names_cannot_be_taken_away_to_lift_it(field: Path):
    (field / "ok/vault").symlink_to(field / "denied")
    rules = PathPolicy(writable=(field,), deny=(field / "ok/vault",))
    for action, params in (
        (fs.delete, {"path": f"{field}/ok/vault"}),
        (fs.move, {"src": f"{field}/ok/vault", "dst": f"{field}/ok/other"}),
        (fs.read, {"path": f"{field}/denied/file"}),
        (fs.delete, {"path": f"{field}/denied", "recursive": True}),
        (fs.move, {"src": f"{field}/denied", "dst": f"{field}/elsewhere"}),
    ):
        assert (await refused(action, params, paths=rules)).code is ErrorCode.PATH_DENIED
    (field / "ok/vault").unlink()  # by somebody else: what it led to stays denied
    assert (
        await refused(fs.read, {"path": f"{field}/denied/file"}, paths=rules)
    ).code is ErrorCode.PATH_DENIED


async def test_a_link_that_an_allowance_names_is_fixed_when_the_policy_is_made(field: Path):
    (field / "here").symlink_to(field / "ok")
    rules = PathPolicy(writable=(field / "here",))
    await call(fs.read, {"path": f"{field}/here/file"}, paths=rules)
    (field / "here").unlink()
    (field / "here").symlink_to(field / "denied")
    error = await refused(fs.read, {"path": f"{field}/here/file"}, paths=rules)
    assert error.code is ErrorCode.PATH_DENIED


@pytest.mark.parametrize("name", ["environ", "mem", "maps", "fd/0", "cwd", "task", "cmdline"])
@pytest.mark.parametrize("who", ["self", "thread-self", "this", "its parent", "1"])
async def test_processes_keep_what_is_theirs(name: str, who: str):
    who = {"this": str(os.getpid()), "its parent": str(os.getppid())}.get(who, who)
    error = await refused(fs.read, {"path": f"/proc/{who}/{name}"})
    assert error.code in (ErrorCode.PATH_DENIED, ErrorCode.VALIDATION_ERROR, ErrorCode.NOT_FOUND)
    if name in ("environ", "mem", "maps", "cmdline"):
        assert error.code is ErrorCode.PATH_DENIED


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="there is no /proc")
async def test_what_else_is_in_proc_can_be_read():
    assert "MemTotal" in (await call(fs.read, {"path": "/proc/meminfo"}))["content"]
    listed = await call(fs.list_, {"path": "/proc"})
    assert not [entry for entry in listed["entries"] if entry["name"].isdecimal()]


@pytest.mark.parametrize("kind", ["fifo", "socket", "directory", "null", "zero", "tty"])
@pytest.mark.parametrize("action", [fs.read, fs.write, fs.append, fs.copy])
async def test_what_is_no_file_is_refused_and_nothing_waits(tmp_path: Path, monkeypatch, kind: str, action):
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    path = {"null": "/dev/null", "zero": "/dev/zero", "tty": "/dev/tty"}.get(kind, str(tmp_path / kind))
    if not Path(path).exists() and kind in ("null", "zero", "tty"):
        pytest.skip(f"there is no {path}")
    with contextlib.ExitStack() as stack:
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "socket":
            stack.enter_context(socket.socket(socket.AF_UNIX)).bind("socket")
        elif kind == "directory":
            os.mkdir(path)
        params = {"path": path}
        if action is fs.copy:
            (tmp_path / "from").write_text("x")
            params = {"src": str(tmp_path / "from") if kind == "directory" else path, "dst": path + "2"}
            if kind == "directory":
                params["src"], params["dst"] = path, str(tmp_path / "from")
        elif action is not fs.read:
            params["content"] = "x"
        started = time.monotonic()
        error = await refused(action, params)
    assert error.code in (ErrorCode.VALIDATION_ERROR, ErrorCode.CONFLICT), error
    assert time.monotonic() - started < 5


@ROOT_ONLY
async def test_a_device_is_not_even_opened(tmp_path: Path, monkeypatch):
    opened, real = [], os.open
    monkeypatch.setattr(
        os, "open", lambda path, *given, **named: opened.append(path) or real(path, *given, **named)
    )
    await refused(fs.read, {"path": "/dev/zero"})
    await refused(fs.append, {"path": "/dev/null", "content": "x"})
    assert not {"zero", "null"} & set(map(str, opened))


async def test_a_hard_link_to_a_denied_file_is_denied_and_one_to_what_is_in_a_denied_directory_is_not(
    field: Path,
):
    # What is promised: rules are about names; a rule that names a file holds for all of its names.
    os.link(field / "denied/file", field / "ok/hard")
    named = PathPolicy(writable=(field / "ok",), deny=(field / "denied/file",))
    for action, params in (
        (fs.read, {}),
        (fs.append, {"content": "x"}),
        (fs.write, {"content": "x"}),
        (fs.stat, {}),
    ):
        error = await refused(action, {"path": f"{field}/ok/hard", **params}, paths=named)
        assert error.code is ErrorCode.PATH_DENIED
    assert not [
        e
        for e in (await call(fs.list_, {"path": f"{field}/ok"}, paths=named))["entries"]
        if e["name"] == "hard"
    ]
    error = await refused(
        fs.copy, {"src": f"{field}/ok", "dst": f"{field}/ok2"}, paths=PathPolicy(deny=named.deny)
    )
    assert error.code is ErrorCode.PATH_DENIED
    assert (await call(fs.read, {"path": f"{field}/ok/hard"}, paths=policy(field)))["content"] == "secret"
    # And writing as a whole never changes the file's other names.
    await call(fs.write, {"path": f"{field}/ok/hard", "content": "new"}, paths=policy(field))
    assert (field / "denied/file").read_text() == "secret"


async def test_no_action_makes_a_hard_link(field: Path):
    for action in (fs.copy, fs.move):
        (field / "ok/a").write_text("x")
        await call(action, {"src": f"{field}/ok/a", "dst": f"{field}/ok/b"}, paths=policy(field))
        assert (field / "ok/b").stat().st_nlink == 1


async def test_a_copied_link_stays_a_link_and_opens_nothing(field: Path):
    (field / "ok/tree").mkdir()
    (field / "ok/tree/way").symlink_to(field / "denied/file")
    (field / "ok/tree/far").symlink_to("/")
    await call(fs.copy, {"src": f"{field}/ok/tree", "dst": f"{field}/ok/copy"}, paths=policy(field))
    assert os.readlink(field / "ok/copy/way") == str(field / "denied/file")
    for path in ("copy/way", f"copy/far{field}/denied/file"):
        error = await refused(fs.read, {"path": f"{field}/ok/{path}"}, paths=policy(field))
        assert error.code is ErrorCode.PATH_DENIED
    listed = await call(fs.list_, {"path": f"{field}/ok", "recursive": True}, paths=policy(field))
    assert max(entry["path"].count("/") for entry in listed["entries"]) == str(field / "ok/copy/way").count(
        "/"
    )
    await call(fs.delete, {"path": f"{field}/ok/copy", "recursive": True}, paths=policy(field))
    assert (field / "denied/file").read_text() == "secret"


async def test_a_directory_under_another_name_is_the_same(field: Path, monkeypatch):
    # As where a file system makes no difference between capitals, or a directory is mounted twice.
    real = Path.lstat

    def lstat(path: Path):
        return real(Path(str(path).replace("/ok/DENIED", "/denied")))

    monkeypatch.setattr(Path, "lstat", lstat)
    rules = policy(field)
    error = await refused(fs.read, {"path": f"{field}/ok/DENIED/file"}, paths=rules)
    assert (error.code, f"{field}/denied" in error.message) == (ErrorCode.PATH_DENIED, True)


@ROOT_ONLY
async def test_capitals_and_dots_at_the_end_are_other_names_here(field: Path):
    for name in ("Denied", "denied.", "denied ", "DENIED"):
        (field / name).mkdir()
        (field / name / "x").write_text(name)
        rules = PathPolicy(deny=(field / "denied",))
        assert (await call(fs.read, {"path": f"{field}/{name}/x"}, paths=rules))["content"] == name


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("", ErrorCode.VALIDATION_ERROR),
        ("a\0b", ErrorCode.VALIDATION_ERROR),
        ("{}/ok/file\0.txt", ErrorCode.VALIDATION_ERROR),
        ("\ud800", ErrorCode.VALIDATION_ERROR),
        ("{}/ok/" + "x" * 256, ErrorCode.VALIDATION_ERROR),
        ("{}/ok" + "/x" * 3000, ErrorCode.VALIDATION_ERROR),
        ("{}/ok" + "/.." * 2000, ErrorCode.VALIDATION_ERROR),
        ("~nobody-of-that-name/file", ErrorCode.PATH_DENIED),
        ("~root/../../../../{}/denied/file", ErrorCode.PATH_DENIED),
        ("{}/ok/loop", ErrorCode.PATH_DENIED),
        ("{}/ok/loop/x", ErrorCode.PATH_DENIED),
        ("{}/ok/file/", None),
        ("{}/ok/file/.", None),
        ("{}/ok/file/x", ErrorCode.NOT_FOUND),
        ("{}/ok/~", ErrorCode.NOT_FOUND),
        ("{}/ok/$HOME", ErrorCode.NOT_FOUND),
        ("{}/ok/%2e%2e/denied/file", ErrorCode.NOT_FOUND),
        ("{}/ok/..\\denied\\file", ErrorCode.NOT_FOUND),
        ("file://{}/ok/file", ErrorCode.PATH_DENIED),
    ],
)
async def test_strange_names(field: Path, path: str, code: ErrorCode | None):
    (field / "ok/loop").symlink_to("loop")
    params = {"path": path.replace("{}", str(field))}
    if code is None:
        assert (await call(fs.read, params, paths=policy(field)))["content"] == "open"
    else:
        assert code is (await _code_of(params, policy(field)))


async def _code_of(params, rules) -> ErrorCode:
    try:
        return (await refused(fs.read, params, paths=rules)).code
    except OpcodeError as error:
        return error.code


async def test_a_file_with_holes_is_not_read_nor_copied_until_the_disk_is_full(tmp_path: Path):
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(1 << 43)
    started = time.monotonic()
    assert (
        "at most 10,485,760 can be read" in (await refused(fs.read, {"path": str(tmp_path / "huge")})).message
    )
    params = {"src": str(tmp_path / "huge"), "dst": str(tmp_path / "copy")}
    assert "more than the disk has left" in (await refused(fs.copy, params)).message
    assert time.monotonic() - started < 5
    assert os.listdir(tmp_path) == ["huge"]


async def test_a_file_that_grows_while_it_is_read_is_bounded(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(files, "MAX_READ", 10)
    (tmp_path / "a").write_bytes(b"x" * 11)
    real = os.fstat

    def fstat(descriptor):
        return os.stat_result([*real(descriptor)[:6], 0, *real(descriptor)[7:]])

    monkeypatch.setattr(os, "fstat", fstat)  # as files of the kernel say that they have no bytes
    assert "has 11 bytes; at most 10" in (await refused(fs.read, {"path": str(tmp_path / "a")})).message


async def test_work_on_a_tree_ends_with_the_step(tmp_path: Path):
    (tmp_path / "src").mkdir()
    for number in range(50):
        (tmp_path / f"src/{number}").write_text("x")
    over = time.time() - 1
    for action, params in (
        (fs.copy, {"src": str(tmp_path / "src"), "dst": str(tmp_path / "dst")}),
        (fs.delete, {"path": str(tmp_path / "src"), "recursive": True}),
    ):
        error = await refused(action, params, deadline=over)
        assert error.code is ErrorCode.TIMEOUT_ERROR
    assert len(os.listdir(tmp_path / "src")) == 50
    assert not (tmp_path / "dst").exists()


async def test_a_tree_as_deep_as_the_kernel_allows_is_copied_and_deleted(tmp_path: Path):
    # Deeper than Python's recursion goes, and than there are descriptors.
    deep = "/".join(["d"] * 1030)
    here = os.open(tmp_path, os.O_RDONLY)
    os.mkdir("src", dir_fd=here)
    current = os.open("src", os.O_RDONLY, dir_fd=here)
    for _ in range(1030):
        os.mkdir("d", dir_fd=current)
        below = os.open("d", os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = below
    os.close(current)
    os.close(here)
    await call(fs.copy, {"src": f"{tmp_path}/src", "dst": f"{tmp_path}/dst"})
    assert (tmp_path / "dst" / deep).is_dir()
    for name in ("src", "dst"):
        await call(fs.delete, {"path": f"{tmp_path}/{name}", "recursive": True})
    assert os.listdir(tmp_path) == []


async def test_no_descriptor_is_left_open(field: Path):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        await call(fs.list_, {"path": str(field), "recursive": True})
        await call(fs.copy, {"src": f"{field}/ok", "dst": f"{field}/ok3"})
        await call(fs.write, {"path": f"{field}/ok/new/x", "content": "", "create_dirs": True})
        await refused(fs.read, {"path": f"{field}/none/none"})
        await refused(fs.read, {"path": f"{field}/ok"})
        await refused(fs.write, {"path": f"{field}/none/x", "content": ""})
        await call(fs.delete, {"path": f"{field}/ok3", "recursive": True})
    assert len(os.listdir("/proc/self/fd")) <= before + 1
