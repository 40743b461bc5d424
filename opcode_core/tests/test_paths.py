"""Which files an action may touch, whatever way they are written."""

from pathlib import Path

import pytest

from opcode_core import ErrorCode, OpcodeError, PathPolicy


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("open/inner", "read/only", "deny"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "open/to_deny").symlink_to(tmp_path / "deny")
    (tmp_path / "open/to_read").symlink_to(tmp_path / "read")
    (tmp_path / "open/loop").symlink_to(tmp_path / "open/loop")
    return tmp_path


def policy(tree: Path, **rules: tuple[str, ...]) -> PathPolicy:
    return PathPolicy(**{name: tuple(tree / path for path in paths) for name, paths in rules.items()})


RULES = {
    "writable": ("open", "read/only/scratch"),
    "read_only": ("read", "open/inner"),
    "deny": ("deny", "open/inner/secret"),
}


@pytest.mark.parametrize(
    "path",
    ["open/x", "open/new/deep/x", "open/inner/x", "read/x", "read/only/scratch/x", "open/to_read/x", "open"],
)
def test_may_be_read(tree: Path, path: str):
    assert policy(tree, **RULES).readable_path(str(tree / path)).is_absolute()


@pytest.mark.parametrize("path", ["open/x", "open/new/x", "read/only/scratch/x", "open/../open/x"])
def test_may_be_written(tree: Path, path: str):
    assert policy(tree, **RULES).writable_path(str(tree / path)).is_absolute()


@pytest.mark.parametrize("path", ["open/inner/x", "read/x", "read/only/x", "open/to_read/x"])
def test_may_only_be_read(tree: Path, path: str):
    with pytest.raises(OpcodeError, match="may only be read") as denied:
        policy(tree, **RULES).writable_path(str(tree / path))
    assert denied.value.code is ErrorCode.PATH_DENIED


@pytest.mark.parametrize(
    "path",
    [
        "deny",
        "deny/x",
        "open/to_deny/x",
        "open/../deny/x",
        "open/inner/secret/x",
        "elsewhere",
        "openly",
        "..",
    ],
)
def test_may_not_be_touched(tree: Path, path: str):
    for ask in (policy(tree, **RULES).readable_path, policy(tree, **RULES).writable_path):
        with pytest.raises(OpcodeError, match="denied path|outside the allowed") as denied:
            ask(str(tree / path))
        assert denied.value.code is ErrorCode.PATH_DENIED


def test_without_rules_everything_goes_but_what_is_denied(tree: Path):
    assert PathPolicy().writable_path(str(tree / "x")) == (tree / "x").resolve()
    with pytest.raises(OpcodeError, match="denied path"):
        policy(tree, deny=("deny",)).readable_path(str(tree / "deny/x"))


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_what_is_no_path(path: str):
    with pytest.raises(OpcodeError, match="is not a path") as refused:
        PathPolicy().readable_path(path)
    assert refused.value.code is ErrorCode.VALIDATION_ERROR


def test_a_loop_of_links_is_refused(tree: Path):
    with pytest.raises(OpcodeError, match="cannot be resolved") as refused:
        PathPolicy().readable_path(str(tree / "open/loop"))
    assert refused.value.code is ErrorCode.PATH_DENIED
