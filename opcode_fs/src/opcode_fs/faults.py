"""Errors of the file system in plain words."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opcode_core import ErrorCode, OpcodeError

_CODES = {
    errno.ENOENT: (ErrorCode.NOT_FOUND, "does not exist"),
    errno.ENOTDIR: (ErrorCode.NOT_FOUND, "lies below something that is not a directory"),
    errno.EACCES: (ErrorCode.PERMISSION_DENIED, "may not be accessed by this user"),
    errno.EPERM: (ErrorCode.PERMISSION_DENIED, "may not be changed by this user"),
    errno.EROFS: (ErrorCode.PERMISSION_DENIED, "lies on a read-only file system"),
    errno.ELOOP: (ErrorCode.PATH_DENIED, "became a link while it was looked at"),
    errno.EISDIR: (ErrorCode.VALIDATION_ERROR, "is a directory"),
    errno.ENXIO: (ErrorCode.VALIDATION_ERROR, "is not a regular file"),
    errno.EEXIST: (ErrorCode.CONFLICT, "already exists"),
    errno.ENOTEMPTY: (ErrorCode.CONFLICT, "is a directory that is not empty; use recursive: true"),
    errno.ENAMETOOLONG: (ErrorCode.VALIDATION_ERROR, "is too long a name"),
    errno.ENOSPC: (ErrorCode.EXECUTION_ERROR, "does not fit: the disk is full"),
    errno.ETIMEDOUT: (ErrorCode.TIMEOUT_ERROR, "was not done with when the step's time was over"),
    errno.EAGAIN: (ErrorCode.EXECUTION_ERROR, "has nothing to read at present; it is not an ordinary file"),
    errno.EDQUOT: (ErrorCode.EXECUTION_ERROR, "does not fit: the quota is used up"),
}


@contextmanager
def plain_words(path: Path) -> Iterator[None]:
    """Turn an OSError about `path` into an OpcodeError that names it."""
    try:
        yield
    except OSError as error:
        inner = isinstance(error.filename, str) and error.errno in (errno.ENOENT, errno.ELOOP)
        where = error.filename if inner else str(path)
        fallback = (ErrorCode.EXECUTION_ERROR, f"failed: {error.strerror or error}")
        code, words = _CODES.get(error.errno or 0, fallback)
        raise OpcodeError(code, f"{where} {words}", details={"path": str(path)}) from None


def refuse(path: Path, words: str, code: ErrorCode = ErrorCode.VALIDATION_ERROR) -> OpcodeError:
    """An error about `path`."""
    return OpcodeError(code, f"{path} {words}", details={"path": str(path)})
