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
    (tmp_path / "open/to_open").symlink_to("../open")
    (tmp_path / "open/dangling").symlink_to(tmp_path / "deny/not_yet")
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
    ("path", "resolved"),
    [
        ("open", "open"),
        ("open/x", "open/x"),
        ("open/new/deep/x", "open/new/deep/x"),
        ("open/new/../x", "open/x"),
        ("open/inner/x", "open/inner/x"),
        ("open/inner/secretly", "open/inner/secretly"),
        ("open/to_read/new/x", "read/new/x"),
        ("open/to_open/to_read/x", "read/x"),
        ("open/to_deny/../read/x", "read/x"),
        ("read/only/scratch/x", "read/only/scratch/x"),
    ],
)
def test_may_be_read_and_is_freed_of_links(tree: Path, path: str, resolved: str):
    assert policy(tree, **RULES).readable_path(f"{tree}/{path}") == tree.resolve() / resolved


@pytest.mark.parametrize(
    ("path", "resolved"),
    [
        ("open/x", "open/x"),
        ("open/new/x", "open/new/x"),
        ("open/../open/x", "open/x"),
        ("open/to_read/only/scratch/x", "read/only/scratch/x"),
    ],
)
def test_may_be_written(tree: Path, path: str, resolved: str):
    assert policy(tree, **RULES).writable_path(f"{tree}/{path}") == tree.resolve() / resolved


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
        "open/dangling",
        "open/dangling/x",
        "open/../deny/x",
        "open/inner/secret/x",
        "elsewhere",
        "openly",
        "..",
        "open/to_deny/..",
    ],
)
def test_may_not_be_touched(tree: Path, path: str):
    rules = policy(tree, **RULES)
    for ask in (rules.readable_path, rules.writable_path, rules.readable_tree, rules.writable_tree):
        with pytest.raises(OpcodeError, match="denied path|outside the allowed") as denied:
            ask(f"{tree}/{path}")
        assert denied.value.code is ErrorCode.PATH_DENIED
        assert denied.value.details["path"] == f"{tree}/{path}"


def test_without_rules_everything_goes_but_what_is_denied(tree: Path):
    assert PathPolicy().writable_path(str(tree / "x")) == (tree / "x").resolve()
    with pytest.raises(OpcodeError, match="denied path"):
        policy(tree, deny=("deny",)).readable_path(str(tree / "deny/x"))
    assert policy(tree, deny=("deny",)).writable_path(str(tree / "x")) == (tree / "x").resolve()


def test_the_same_path_in_two_rules_takes_the_stricter(tree: Path):
    both = policy(tree, writable=("open",), read_only=("open",))
    assert both.readable_path(str(tree / "open/x"))
    with pytest.raises(OpcodeError, match="may only be read"):
        both.writable_path(str(tree / "open/x"))
    with pytest.raises(OpcodeError, match="denied path"):
        policy(tree, writable=("open/inner",), deny=("open",)).readable_path(str(tree / "open/inner/x"))


def test_a_rule_that_is_a_link_means_what_it_leads_to(tree: Path):
    with pytest.raises(OpcodeError, match="denied path"):
        policy(tree, deny=("open/to_read",)).readable_path(str(tree / "read/x"))


def test_a_rule_may_begin_with_the_home_directory(tree: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tree))
    rules = PathPolicy(deny=(Path("~/deny"),))
    for path in ("~/deny/x", str(tree / "deny/x")):
        with pytest.raises(OpcodeError, match="denied path"):
            rules.readable_path(path)
    assert rules.readable_path("~") == tree.resolve()


def test_a_path_that_is_not_absolute_starts_from_the_working_directory(
    tree: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tree / "open")
    assert policy(tree, **RULES).writable_path("x") == (tree / "open/x").resolve()
    with pytest.raises(OpcodeError, match=r"\.\./deny/x lies under a denied path"):
        policy(tree, **RULES).readable_path("../deny/x")


@pytest.mark.parametrize("path", ["", "a\0b", "a\ud800"])
def test_what_is_no_path(path: str):
    for ask in (PathPolicy().readable_path, PathPolicy().removable_path):
        with pytest.raises(OpcodeError, match="is not a path") as refused:
            ask(path)
        assert refused.value.code is ErrorCode.VALIDATION_ERROR


def test_a_loop_of_links_and_an_unknown_home_are_refused(tree: Path):
    for path in (str(tree / "open/loop"), "~no-such-user/x"):
        with pytest.raises(OpcodeError, match="cannot be resolved") as refused:
            PathPolicy().readable_path(path)
        assert refused.value.code is ErrorCode.PATH_DENIED
    with pytest.raises(OpcodeError, match="cannot be resolved"):
        PathPolicy().removable_path("~no-such-user/x")


def test_a_tree_is_readable_when_nothing_in_it_is_denied(tree: Path):
    rules = policy(tree, writable=("open",), read_only=("read",), deny=("open/inner/secret",))
    assert rules.readable_tree(str(tree / "read")) == (tree / "read").resolve()
    for path in ("open", "open/inner", "open/to_open"):
        with pytest.raises(OpcodeError, match="inner/secret, which is denied") as denied:
            rules.readable_tree(str(tree / path))
        assert denied.value.code is ErrorCode.PATH_DENIED


def test_a_tree_is_writable_when_nothing_in_it_is_protected(tree: Path):
    rules = policy(tree, writable=("open",), read_only=("open/inner",))
    assert rules.readable_tree(str(tree / "open"))
    assert rules.writable_tree(str(tree / "open/other")) == (tree / "open/other").resolve()
    for ask in (rules.writable_tree, rules.removable_path):
        with pytest.raises(OpcodeError, match="open/inner, which may only be read"):
            ask(str(tree / "open"))


def test_removing_a_link_means_the_link(tree: Path):
    rules = policy(tree, **RULES)
    for name in ("to_deny", "dangling", "loop"):
        assert rules.removable_path(str(tree / "open" / name)) == tree.resolve() / "open" / name
    assert rules.removable_path(str(tree / "open/to_open/x")) == (tree / "open/x").resolve()
    with pytest.raises(OpcodeError, match="denied path"):
        rules.removable_path(str(tree / "open/to_deny/x"))
    with pytest.raises(OpcodeError, match="outside the allowed"):
        rules.removable_path(f"{tree}/open/..")


def test_may_read_asks_about_a_path_that_is_already_resolved(tree: Path):
    rules = policy(tree, **RULES)
    assert rules.may_read(tree.resolve() / "open/x")
    assert not rules.may_read(tree.resolve() / "deny/x")
