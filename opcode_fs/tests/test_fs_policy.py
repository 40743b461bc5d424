"""The actions stay within the path policy, also below the directories that they are given."""

from pathlib import Path

import pytest

from opcode_core import ErrorCode, OpcodeError, PathPolicy
from opcode_fs import actions as fs
from opcode_testkit.actions import call


async def refused(action, params, **context) -> OpcodeError:
    with pytest.raises(OpcodeError) as error:
        await call(action, params, **context)
    return error.value


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with a secret in it, and a link that leads out of it."""
    (tmp_path / "home/keys").mkdir(parents=True)
    (tmp_path / "home/keys/secret").write_text("secret")
    (tmp_path / "home/note").write_text("note")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/x").write_text("x")
    (tmp_path / "home/out").symlink_to(tmp_path / "outside")
    return tmp_path / "home"


def guarded(home: Path) -> PathPolicy:
    return PathPolicy(writable=(home, home.parent / "elsewhere"), deny=(home / "keys",))


@pytest.mark.parametrize(
    ("action", "params"),
    [
        (fs.read, {"path": "{}/deny/x"}),
        (fs.read, {"path": "{}/ok/../deny/x"}),
        (fs.read, {"path": "{}/ok/link/x"}),
        (fs.read, {"path": "/etc/passwd"}),
        (fs.write, {"path": "{}/read/x", "content": ""}),
        (fs.append, {"path": "{}/ok/link/new", "content": ""}),
        (fs.delete, {"path": "{}/read/x"}),
        (fs.copy, {"src": "{}/ok/a", "dst": "{}/read/b"}),
        (fs.move, {"src": "{}/read/x", "dst": "{}/ok/b"}),
        (fs.list_, {"path": "{}/deny"}),
        (fs.stat, {"path": "{}/deny/x"}),
    ],
)
async def test_the_path_policy_is_obeyed(tmp_path: Path, action, params):
    for name in ("ok", "read", "deny"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text(name)
    (tmp_path / "ok/a").write_text("a")
    (tmp_path / "ok/link").symlink_to(tmp_path / "deny")
    policy = PathPolicy(
        read_only=(tmp_path / "read",), writable=(tmp_path / "ok",), deny=(tmp_path / "deny",)
    )
    given = {key: value.format(tmp_path) for key, value in params.items()}
    error = await refused(action, given, paths=policy)
    assert error.code is ErrorCode.PATH_DENIED
    assert (tmp_path / "deny/x").read_text() == "deny"
    assert (tmp_path / "read/x").read_text() == "read"


@pytest.mark.parametrize(
    ("action", "params"),
    [
        (fs.delete, {"path": "{}", "recursive": True}),
        (fs.copy, {"src": "{}", "dst": "{}/../elsewhere"}),
        (fs.move, {"src": "{}", "dst": "{}/../elsewhere"}),
        (fs.copy, {"src": "{}/new", "dst": "{}"}),
    ],
)
async def test_a_directory_with_something_denied_in_it_is_not_treated_as_a_whole(home: Path, action, params):
    (home / "new").mkdir()
    given = {key: value.format(home) if isinstance(value, str) else value for key, value in params.items()}
    error = await refused(action, given, paths=guarded(home))
    assert error.code is ErrorCode.PATH_DENIED
    assert f"holds {home}/keys, which is denied" in error.message
    assert (home / "keys/secret").read_text() == "secret"
    assert not (home.parent / "elsewhere").exists()


async def test_a_file_may_be_put_beside_something_denied(home: Path):
    (home / "sub").mkdir()
    (home / "sub/a").write_text("a")
    await call(fs.copy, {"src": str(home / "sub/a"), "dst": str(home)}, paths=guarded(home))
    assert (home / "a").read_text() == "a"


@pytest.mark.parametrize(
    "params", [{"recursive": True}, {"pattern": "*/*"}, {"pattern": "**"}, {"pattern": "out/*"}]
)
async def test_a_list_shows_nothing_that_is_denied_and_follows_no_link(home: Path, params):
    listed = await call(fs.list_, {"path": str(home), **params}, paths=guarded(home))
    names = {entry["name"] for entry in listed["entries"]}
    assert not names & {"keys", "secret", "x"}


async def test_a_link_to_a_denied_file_can_be_deleted_but_not_read(home: Path):
    (home / "shortcut").symlink_to(home / "keys/secret")
    error = await refused(fs.read, {"path": str(home / "shortcut")}, paths=guarded(home))
    assert error.code is ErrorCode.PATH_DENIED
    await call(fs.delete, {"path": str(home / "shortcut")}, paths=guarded(home))
    assert (home / "keys/secret").exists()


async def test_a_link_in_the_target_does_not_lead_a_copy_out(home: Path):
    (home / "src/out").mkdir(parents=True)
    (home / "src/out/x").write_text("overwritten")
    (home / "dst").mkdir()
    (home / "dst/out").symlink_to(home.parent / "outside")
    error = await refused(fs.copy, {"src": str(home / "src"), "dst": str(home / "dst")}, paths=guarded(home))
    assert error.code is ErrorCode.CONFLICT
    assert (home.parent / "outside/x").read_text() == "x"
