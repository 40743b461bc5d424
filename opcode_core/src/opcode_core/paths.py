"""Which files an action may touch."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from opcode_core.errors import ErrorCode, OpcodeError

MAX_PATH = 4096
"""Bytes of a path; the kernel takes no longer ones, so links in them could not be seen."""

Identity = tuple[int, int]
"""Device and inode: the same whatever name a file is reached by."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """A path of the settings: as it is written, the place of that, and where it led when the policy was made.

    Who can swap a link that a rule names can so widen no allowance and lift no denial.
    """

    path: Path
    place: Path
    led_to: Path

    @classmethod
    def of(cls, path: Path) -> "_Rule":
        written = _written(str(path)).absolute()
        return cls(path, resolve(str(written.parent)) / written.name, resolve(str(path)))

    def everywhere(self) -> frozenset[Path]:
        """The place itself, and where it led and leads."""
        with suppress(OpcodeError):
            return frozenset({self.place, self.led_to, resolve(str(self.path))})
        return frozenset({self.place, self.led_to})


@dataclass(frozen=True, slots=True)
class PathPolicy:
    """Rules over resolved paths: `deny` wins over everything, then the longest match.

    With neither `writable` nor `read_only` given, everything that is not denied is allowed;
    otherwise only what lies under one of them is, and writing only under `writable`. Rules that
    forbid hold for what they name under all of its names: mounted elsewhere, in other capitals where
    the file system makes no difference, and, for a single file, as a hard link.

    Attributes:
        own: OPCODE's own files, as processes' directories in /proc are: denied unless `read_only` or
            `writable` names them or something in them.

    Raises:
        OpcodeError: VALIDATION_ERROR or PATH_DENIED for a rule that is no path.
    """

    read_only: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    deny: tuple[Path, ...] = ()
    own: tuple[Path, ...] = ()
    _rules: Mapping[str, tuple[_Rule, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rules = {
            name: tuple(map(_Rule.of, getattr(self, name))) for name in ("read_only", "writable", "deny")
        }
        rules["own"] = tuple(_those_that_exist(self.own))
        object.__setattr__(self, "_rules", rules)

    def readable_path(self, path: str) -> Path:
        """`path` without links, if it may be read.

        Raises:
            OpcodeError: PATH_DENIED; VALIDATION_ERROR when it is not a path.
        """
        return self._checked(path, resolve(path), writing=False)

    def writable_path(self, path: str) -> Path:
        """`path` without links, if it may be written.

        Raises:
            OpcodeError: PATH_DENIED; VALIDATION_ERROR when it is not a path.
        """
        return self._checked(path, resolve(path), writing=True)

    def readable_tree(self, path: str) -> Path:
        """`path` without links, if it and whatever lies below it may be read.

        Raises:
            OpcodeError: PATH_DENIED; VALIDATION_ERROR when it is not a path.
        """
        return self._whole(path, self.readable_path(path), writing=False)

    def writable_tree(self, path: str) -> Path:
        """`path` without links, if it and whatever lies below it may be written.

        Raises:
            OpcodeError: PATH_DENIED; VALIDATION_ERROR when it is not a path.
        """
        return self._whole(path, self.writable_path(path), writing=True)

    def removable_path(self, path: str) -> Path:
        """As `writable_tree`, but a link at the end is kept: who deletes or moves a link means the link.

        Raises:
            OpcodeError: PATH_DENIED; VALIDATION_ERROR when it is not a path.
        """
        written = _written(path)
        if written.name in ("", ".."):
            return self.writable_tree(path)
        entry = resolve(str(written.parent)) / written.name
        return self._whole(path, self._checked(path, entry, writing=True), writing=True)

    def may_read(self, resolved: Path) -> bool:
        """Whether a path may be read that is known to be absolute and free of links."""
        return self.now().objection(resolved, writing=False) is None

    def now(self) -> "Sight":
        """The rules as they stand at this moment, for many questions in a row."""
        return Sight(self._rules)

    def _checked(self, path: str, resolved: Path, *, writing: bool) -> Path:
        objection = self.now().objection(resolved, writing=writing)
        if objection is not None:
            raise _denied(path, resolved, objection)
        return resolved

    def _whole(self, path: str, root: Path, *, writing: bool) -> Path:
        objection = self.now().objection_below(root, writing=writing)
        if objection is not None:
            raise _denied(path, root, objection)
        return root


class Sight:
    """The rules of a policy at one moment."""

    def __init__(self, rules: Mapping[str, tuple[_Rule, ...]]) -> None:
        self._writable = frozenset(rule.led_to for rule in rules["writable"])
        self._read_only = frozenset(rule.led_to for rule in rules["read_only"])
        self._protected = {name: _places(rules[name]) for name in ("deny", "own", "read_only")}
        self._known = {name: _identities(places) for name, places in self._protected.items()}

    def objection(self, resolved: Path, *, writing: bool) -> str | None:
        """Why a path that is absolute and free of links may not be touched, or None when it may."""
        return self._judge(resolved, self._names(resolved), writing=writing)

    def may_read(self, resolved: Path, found: os.stat_result) -> bool:
        """Whether an entry may be read, of a directory that may be."""
        names = [(len(resolved.parts), (found.st_dev, found.st_ino))]
        return self._judge(resolved, names, writing=False) is None

    def objection_below(self, root: Path, *, writing: bool) -> str | None:
        """Why `root` may not be treated as a whole, or None when nothing in it is protected."""
        whys = {"deny": "is denied", "own": "is OPCODE's own"}
        if writing:
            whys["read_only"] = "may only be read"
        for name, why in whys.items():
            for place in sorted(self._protected[name]):
                if place != root and place.is_relative_to(root) and self.objection(place, writing=writing):
                    return f"holds {place}, which {why}; name what is beside it instead"
        return None

    def _judge(self, path: Path, names: list[tuple[int, Identity]], *, writing: bool) -> str | None:
        _, rule = self._longest("deny", path, names)
        if rule:
            return f"lies under a denied path, {rule}; deny_paths in the settings forbids it, so use another"
        writable, readable = _depth(path, self._writable), _depth(path, self._read_only)
        depth, rule = max(self._longest("own", path, names), _process(path))
        if depth > max(writable, readable):
            return (
                f"lies under {rule}, where OPCODE or a process keeps what is its own; use another path, or name "
                "this one in read_only_paths or writable_paths in the settings"
            )
        if not (self._read_only or self._writable):
            return None
        if not writable and not readable:
            allowed = ", ".join(sorted(map(str, self._read_only | self._writable)))
            return f"lies outside the allowed paths; read_only_paths and writable_paths name {allowed}"
        depth, rule = self._longest("read_only", path, names)
        if writing and depth >= writable:
            return f"may only be read, for read_only_paths names {rule}; write where writable_paths allows it"
        return None

    def _names(self, resolved: Path) -> list[tuple[int, Identity]]:
        """Device and inode of the path and of what it lies in, each with its number of parts."""
        if not any(self._known.values()):
            return []
        found = ((len(path.parts), _identity(path)) for path in (resolved, *resolved.parents))
        return [(depth, identity) for depth, identity in found if identity is not None]

    def _longest(self, name: str, path: Path, names: Iterable[tuple[int, Identity]]) -> tuple[int, str]:
        """The longest such rule that the path lies under: the number of parts that it covers, and itself."""
        places, known = self._protected[name], self._known[name]
        matches = [(len(place.parts), str(place)) for place in places if path.is_relative_to(place)]
        matches += [(depth, str(known[identity])) for depth, identity in names if identity in known]
        return max(matches, default=(0, ""))


def resolve(path: str) -> Path:
    """Absolute and free of links; what does not exist yet is resolved by its nearest existing parent.

    Raises:
        OpcodeError: VALIDATION_ERROR for what no file can be named, PATH_DENIED for a loop of links.
    """
    try:
        return _written(path).resolve(strict=False)
    except (OSError, RuntimeError) as error:
        raise _unresolvable(path, error) from None


def _written(path: str) -> Path:
    """`path` as it is written, but for a `~` in front."""
    try:
        encoded = os.fsencode(path)
    except UnicodeEncodeError:
        encoded = b""
    if not encoded or b"\0" in encoded:
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"{path!r} is not a path", details={"path": path})
    if len(encoded) > MAX_PATH:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR,
            f"{path[:60]}… is too long a name: {len(encoded):,} bytes, of {MAX_PATH:,}",
            details={"path": path[:MAX_PATH]},
        )
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise _unresolvable(path, error) from None


def _those_that_exist(paths: Iterable[Path]) -> Iterable[_Rule]:
    """Without a home directory there is none of OPCODE's own, either."""
    for path in paths:
        with suppress(OpcodeError):
            yield _Rule.of(path)


def _places(rules: Iterable[_Rule]) -> frozenset[Path]:
    return frozenset(place for rule in rules for place in rule.everywhere())


def _identities(places: Iterable[Path]) -> dict[Identity, Path]:
    found = ((_identity(place), place) for place in places)
    return {identity: place for identity, place in found if identity is not None}


def _identity(path: Path) -> Identity | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _process(path: Path) -> tuple[int, str]:
    """A process's directory in /proc has its environment, with keys in it, and ways around other rules."""
    _, *parts = path.parts
    of_one = len(parts) > 1 and parts[0] == "proc" and parts[1].isdigit()
    return (3, f"/proc/{parts[1]}") if of_one else (0, "")


def _depth(path: Path, places: Iterable[Path]) -> int:
    """The number of parts of the longest place that `path` lies under; 0 when there is none."""
    return max((len(place.parts) for place in places if path.is_relative_to(place)), default=0)


def _unresolvable(path: str, error: Exception) -> OpcodeError:
    return OpcodeError(ErrorCode.PATH_DENIED, f"{path} cannot be resolved: {error}", details={"path": path})


def _denied(path: str, resolved: Path, why: str) -> OpcodeError:
    leads = "" if str(resolved) == path else f" (it leads to {resolved})"
    return OpcodeError(
        ErrorCode.PATH_DENIED, f"{path} {why}{leads}", details={"path": path, "resolved": str(resolved)}
    )
