"""Which files an action may touch."""

import os
from dataclasses import dataclass
from pathlib import Path

from opcode_core.errors import ErrorCode, OpcodeError


@dataclass(frozen=True, slots=True)
class PathPolicy:
    """Rules over resolved paths: `deny` wins over everything, then the longest match.

    With neither `writable` nor `read_only` given, everything that is not denied is allowed;
    otherwise only what lies under one of them is, and writing only under `writable`.
    """

    read_only: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    deny: tuple[Path, ...] = ()

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
        root = self.readable_path(path)
        self._refuse_rules_below(path, root, self.deny, "is denied")
        return root

    def writable_tree(self, path: str) -> Path:
        """`path` without links, if it and whatever lies below it may be written.

        Raises:
            OpcodeError: PATH_DENIED; VALIDATION_ERROR when it is not a path.
        """
        return self._whole(path, self.writable_path(path))

    def removable_path(self, path: str) -> Path:
        """As `writable_tree`, but a link at the end is kept: who deletes or moves a link means the link.

        Raises:
            OpcodeError: PATH_DENIED; VALIDATION_ERROR when it is not a path.
        """
        written = _written(path)
        if written.name in ("", ".."):
            return self.writable_tree(path)
        entry = resolve(str(written.parent)) / written.name
        return self._whole(path, self._checked(path, entry, writing=True))

    def may_read(self, resolved: Path) -> bool:
        """Whether a path may be read that is known to be absolute and free of links."""
        return self._objection(resolved, writing=False) is None

    def _checked(self, path: str, resolved: Path, *, writing: bool) -> Path:
        objection = self._objection(resolved, writing=writing)
        if objection is not None:
            raise _denied(path, resolved, objection)
        return resolved

    def _whole(self, path: str, root: Path) -> Path:
        self._refuse_rules_below(path, root, self.deny, "is denied")
        self._refuse_rules_below(path, root, self.read_only, "may only be read")
        return root

    def _objection(self, resolved: Path, *, writing: bool) -> str | None:
        if _longest(resolved, self.deny):
            return "lies under a denied path"
        if not (self.read_only or self.writable):
            return None
        writable = _longest(resolved, self.writable)
        read_only = _longest(resolved, self.read_only)
        if not writable and not read_only:
            return "lies outside the allowed paths"
        if writing and read_only >= writable:
            return "may only be read"
        return None

    def _refuse_rules_below(self, path: str, root: Path, rules: tuple[Path, ...], why: str) -> None:
        # Links below `root` are not followed by who asks, so comparing with the rules is enough.
        for rule in map(_resolved_rule, rules):
            if rule != root and rule.is_relative_to(root):
                raise _denied(path, root, f"holds {rule}, which {why}")


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
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise _unresolvable(path, error) from None


def _resolved_rule(rule: Path) -> Path:
    return resolve(str(rule))


def _longest(path: Path, rules: tuple[Path, ...]) -> int:
    """The number of parts of the longest rule that `path` lies under; 0 when there is none."""
    parts = (len(rule.parts) for rule in map(_resolved_rule, rules) if path.is_relative_to(rule))
    return max(parts, default=0)


def _unresolvable(path: str, error: Exception) -> OpcodeError:
    return OpcodeError(ErrorCode.PATH_DENIED, f"{path} cannot be resolved: {error}", details={"path": path})


def _denied(path: str, resolved: Path, why: str) -> OpcodeError:
    return OpcodeError(
        ErrorCode.PATH_DENIED, f"{path} {why}", details={"path": path, "resolved": str(resolved)}
    )
