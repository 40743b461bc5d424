"""The actions fs.*. Paths are checked by the path policy and given back absolute, without links."""

import base64
import binascii
import os
import shutil
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from opcode_core import ActionContext, ErrorCode, OpcodeError, action
from opcode_fs.faults import plain_words, refuse
from opcode_fs.files import copy_tree, make_parent, open_regular, read_bytes, total_size, write_whole
from opcode_fs.shapes import Deleted, Entry, Listing, Read, Stat, Transferred, Written

MAX_ENTRIES = 10_000

PathText = Annotated[str, Field(min_length=1, description="a path; ~ is the home directory")]
Mode = Annotated[int | str, Field(description='permissions, as "0644" or 420')]


@action("fs.read", effect="pure", blocking=True)
def read(
    context: ActionContext, path: PathText, encoding: Literal["auto", "text", "base64"] = "auto"
) -> Read:
    """Read a file of at most 10 MiB; `auto` gives text when it is UTF-8, else base64."""
    target = context.paths.readable_path(path)
    with plain_words(target):
        content = read_bytes(target)
    if encoding != "base64":
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            if encoding == "text":
                raise refuse(
                    target, f"is not UTF-8 text (at byte {error.start}); use encoding: base64"
                ) from None
        else:
            return {"path": str(target), "content": text, "encoding": "text", "size": len(content)}
    coded = base64.b64encode(content).decode("ascii")
    return {"path": str(target), "content": coded, "encoding": "base64", "size": len(content)}


@action("fs.write", effect="idempotent", blocking=True)
def write(
    context: ActionContext,
    path: PathText,
    content: str,
    create_dirs: bool = False,
    mode: Mode = 0o644,
    encoding: Literal["text", "base64"] = "text",
) -> Written:
    """Write a file as a whole: written beside it, then put in its place."""
    target = context.paths.writable_path(path)
    data = _bytes(content, encoding)
    with plain_words(target):
        make_parent(target, create=create_dirs)
        write_whole(target, data, _mode(mode))
    return {"path": str(target), "size": len(data)}


@action("fs.append", effect="external", blocking=True)
def append(context: ActionContext, path: PathText, content: str) -> Written:
    """Add text to the end of a file, which is made when it does not exist."""
    target = context.paths.writable_path(path)
    with plain_words(target), open_regular(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as file:
        file.write(_bytes(content, "text"))
        file.flush()
        return {"path": str(target), "size": os.fstat(file.fileno()).st_size}


@action("fs.delete", effect="idempotent", blocking=True)
def delete(context: ActionContext, path: PathText, recursive: bool = False) -> Deleted:
    """Delete a file, a link or an empty directory; with `recursive` a directory and all in it."""
    target = _unfollowed(context, path)
    with plain_words(target):
        if not target.is_symlink() and not target.exists():
            return {"path": str(target), "deleted": False}
        if target.is_symlink() or not target.is_dir():
            target.unlink()
        elif recursive:
            shutil.rmtree(target)
        else:
            target.rmdir()
    return {"path": str(target), "deleted": True}


@action("fs.list", effect="pure", blocking=True)
def list_(
    context: ActionContext, path: PathText, pattern: str | None = None, recursive: bool = False
) -> Listing:
    """List a directory, by path; `pattern` is a glob such as `*.json`."""
    target = context.paths.readable_path(path)
    glob = pattern or "*"
    if glob.startswith("/") or ".." in Path(glob).parts:
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"'pattern' {glob!r} leads out of the directory")
    with plain_words(target):
        if not target.is_dir():
            target.stat()
            raise refuse(target, "is not a directory")
        found = list(islice(target.rglob(glob) if recursive else target.glob(glob), MAX_ENTRIES + 1))
        if len(found) > MAX_ENTRIES:
            raise refuse(target, f"has more than {MAX_ENTRIES:,} such entries; use a narrower pattern")
        return {"path": str(target), "entries": [_entry(item) for item in sorted(found)]}


@action("fs.stat", effect="pure", blocking=True)
def stat(context: ActionContext, path: PathText) -> Stat:
    """Size, time of change, kind and permissions of a file or directory."""
    target = context.paths.readable_path(path)
    with plain_words(target):
        found = target.stat()
        return {
            "path": str(target),
            "size": found.st_size,
            "modified_at": _time(found.st_mtime),
            "is_dir": target.is_dir(),
            "permissions": f"{found.st_mode & 0o7777:04o}",
        }


@action("fs.copy", effect="idempotent", blocking=True)
def copy(context: ActionContext, src: PathText, dst: PathText, create_dirs: bool = False) -> Transferred:
    """Copy a file or a directory. A file that is there is replaced, a directory is not."""
    source = context.paths.readable_path(src)
    target = _target(context, source, dst)
    with plain_words(source):
        source.stat()
    with plain_words(target):
        make_parent(target, create=create_dirs)
        copy_tree(source, target)
        return _transferred(source, target)


@action("fs.move", effect="external", blocking=True)
def move(context: ActionContext, src: PathText, dst: PathText, create_dirs: bool = False) -> Transferred:
    """Move a file or a directory. A file that is there is replaced, a directory is not."""
    source = _unfollowed(context, src)
    target = _target(context, source, dst)
    with plain_words(source):
        source.lstat()
    with plain_words(target):
        make_parent(target, create=create_dirs)
        if target.is_dir():
            raise refuse(target, "already exists", ErrorCode.CONFLICT)
        shutil.move(source, target)
        return _transferred(source, target)


def _unfollowed(context: ActionContext, path: str) -> Path:
    """The path itself where it is a link: what is removed is the link, not what it leads to."""
    written = Path(path).expanduser()
    if written.name in ("", "..") or not written.is_symlink():
        return context.paths.writable_path(path)
    return context.paths.writable_path(str(written.parent)) / written.name


def _target(context: ActionContext, source: Path, dst: str) -> Path:
    """Where to; a directory that exists takes the source in under its own name."""
    target = context.paths.writable_path(dst)
    if target.is_dir() and not source.is_dir():
        target = context.paths.writable_path(str(target / source.name))
    if target == source or target.is_relative_to(source):
        raise refuse(target, "is the source itself or lies in it")
    return target


def _transferred(source: Path, target: Path) -> Transferred:
    return {"src": str(source), "dst": str(target), "size": total_size(target), "is_dir": target.is_dir()}


def _entry(path: Path) -> Entry:
    found = path.lstat()
    return {
        "name": path.name,
        "path": str(path),
        "size": found.st_size,
        "modified_at": _time(found.st_mtime),
        "is_dir": path.is_dir() and not path.is_symlink(),
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _mode(mode: int | str) -> int:
    try:
        value = int(mode, 8) if isinstance(mode, str) else mode
    except ValueError:
        value = -1
    if not 0 <= value <= 0o777:
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"'mode' {mode!r} is not a permission such as \"0644\"")
    return value


def _bytes(content: str, encoding: str) -> bytes:
    try:
        return content.encode("utf-8") if encoding == "text" else base64.b64decode(content, validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError) as error:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR, f"'content' cannot be written as {encoding}: {error}"
        ) from None
