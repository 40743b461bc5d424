"""Which files an action may touch."""

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
            OpcodeError: PATH_DENIED.
        """
        return self._checked(path, writing=False)

    def writable_path(self, path: str) -> Path:
        """`path` without links, if it may be written.

        Raises:
            OpcodeError: PATH_DENIED.
        """
        return self._checked(path, writing=True)

    def _checked(self, path: str, *, writing: bool) -> Path:
        resolved = resolve(path)
        if any(_within(resolved, rule) for rule in self.deny):
            raise _denied(path, resolved, "lies under a denied path")
        if not (self.read_only or self.writable):
            return resolved
        writable = max((depth for depth in _matches(resolved, self.writable)), default=-1)
        read_only = max((depth for depth in _matches(resolved, self.read_only)), default=-1)
        if writable < 0 and read_only < 0:
            raise _denied(path, resolved, "lies outside the allowed paths")
        if writing and read_only >= writable:
            raise _denied(path, resolved, "may only be read")
        return resolved


def resolve(path: str) -> Path:
    """Absolute and free of links; what does not exist yet is resolved by its nearest existing parent.

    Raises:
        OpcodeError: VALIDATION_ERROR for an empty path or one with a NUL, PATH_DENIED for a loop of links.
    """
    if not path or "\0" in path:
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"{path!r} is not a path", details={"path": path})
    try:
        return Path(path).expanduser().resolve(strict=False)
    except (OSError, RuntimeError) as error:
        raise OpcodeError(
            ErrorCode.PATH_DENIED, f"{path} cannot be resolved: {error}", details={"path": path}
        ) from None


def _within(path: Path, rule: Path) -> bool:
    return path.is_relative_to(rule.resolve())


def _matches(path: Path, rules: tuple[Path, ...]) -> list[int]:
    return [len(rule.resolve().parts) for rule in rules if _within(path, rule)]


def _denied(path: str, resolved: Path, why: str) -> OpcodeError:
    return OpcodeError(
        ErrorCode.PATH_DENIED, f"{path} {why}", details={"path": path, "resolved": str(resolved)}
    )
