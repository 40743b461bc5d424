"""The actions fs.*. Paths are checked by the path policy and given back absolute, without links."""

import base64
import binascii
import os
import stat as modes
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from opcode_core import ActionContext, ErrorCode, OpcodeError, action
from opcode_fs import trees
from opcode_fs.faults import plain_words, refuse
from opcode_fs.files import append_bytes, read_bytes, replacing
from opcode_fs.globs import Found, Glob, find
from opcode_fs.places import (
    Place,
    is_directory,
    place,
    place_to_fill,
    require_free_of_links,
    require_regular,
)
from opcode_fs.shapes import Deleted, Entry, Listing, Read, Stat, Transferred, Written

PathText = Annotated[str, Field(min_length=1, description="a path; ~ is the home directory")]
Mode = Annotated[int | str, Field(description='permissions, as "0644" or 420')]


@action("fs.read", effect="pure", blocking=True)
def read(
    context: ActionContext, path: PathText, encoding: Literal["auto", "text", "base64"] = "auto"
) -> Read:
    """Read a file of at most 10 MiB; `auto` gives text when it is UTF-8, else base64."""
    target = context.paths.readable_path(path)
    with plain_words(target), place(target) as there:
        content = read_bytes(there)
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
    data, permissions = _bytes(content, encoding), _mode(mode)
    with (
        plain_words(target),
        place_to_fill(target, create_dirs=create_dirs) as there,
        replacing(there) as file,
    ):
        file.write(data)
        os.fchmod(file.fileno(), permissions)
    return {"path": str(target), "size": len(data)}


@action("fs.append", effect="external", blocking=True)
def append(context: ActionContext, path: PathText, content: str) -> Written:
    """Add text to the end of a file, which is made when it does not exist."""
    target = context.paths.writable_path(path)
    data = _bytes(content, "text")
    with plain_words(target), place_to_fill(target, create_dirs=False) as there:
        return {"path": str(target), "size": append_bytes(there, data)}


@action("fs.delete", effect="idempotent", blocking=True)
def delete(context: ActionContext, path: PathText, recursive: bool = False) -> Deleted:
    """Delete a file, a link or an empty directory; with `recursive` a directory and all in it."""
    target = context.paths.removable_path(path)
    if target == target.parent:
        raise refuse(target, "is the root of all files and is not deleted")
    with plain_words(target), ExitStack() as opened:
        try:
            there = opened.enter_context(place(target))
        except (FileNotFoundError, NotADirectoryError):
            return {"path": str(target), "deleted": False}
        if there.look() is None:
            return {"path": str(target), "deleted": False}
        trees.remove(there, _bounds(context), recursive=recursive)
    return {"path": str(target), "deleted": True}


@action("fs.list", effect="pure", blocking=True)
def list_(
    context: ActionContext, path: PathText, pattern: str | None = None, recursive: bool = False
) -> Listing:
    """List a directory, sorted by path; `pattern` is a glob such as `*.json` or `logs/**/*.txt`."""
    target = context.paths.readable_path(path)
    glob = Glob.parse(pattern or "*", recursive=recursive)
    with plain_words(target), place(target) as there:
        found = there.stat()
        require_free_of_links(target, found)
        if not is_directory(found):
            raise refuse(target, "is not a directory")
        with there.enter() as directory:
            entries = [_entry(entry) for entry in find(directory, glob, context.paths.now().may_read)]
    return {"path": str(target), "entries": entries}


@action("fs.stat", effect="pure", blocking=True)
def stat(context: ActionContext, path: PathText) -> Stat:
    """Size, time of change, kind and permissions of a file or directory."""
    target = context.paths.readable_path(path)
    with plain_words(target), place(target) as there:
        found = there.stat()
        require_free_of_links(target, found)
    return {
        "path": str(target),
        "size": found.st_size,
        "modified_at": _time(found.st_mtime),
        "is_dir": is_directory(found),
        "permissions": f"{modes.S_IMODE(found.st_mode):04o}",
    }


@action("fs.copy", effect="idempotent", blocking=True)
def copy(context: ActionContext, src: PathText, dst: PathText, create_dirs: bool = False) -> Transferred:
    """Copy a file or a directory. A file that is there is replaced, a directory that is there is filled up."""
    source, bounds = context.paths.readable_tree(src), _bounds(context)
    with plain_words(source), place(source) as old:
        found = old.stat()
        require_free_of_links(source, found)
        size, is_dir = trees.total_size(old, bounds), is_directory(found)
        target = _target(context, source, dst, is_dir=is_dir)
        with plain_words(target), place_to_fill(target, create_dirs=create_dirs) as new:
            _require_room(new, size)
            trees.copy(old, found, new, bounds)
    return {"src": str(source), "dst": str(target), "size": size, "is_dir": is_dir}


@action("fs.move", effect="external", blocking=True)
def move(context: ActionContext, src: PathText, dst: PathText, create_dirs: bool = False) -> Transferred:
    """Move a file, a link or a directory. A file that is there is replaced, a directory is not."""
    source, bounds = context.paths.removable_path(src), _bounds(context)
    with plain_words(source), place(source) as old:
        size, is_dir = trees.total_size(old, bounds), is_directory(old.stat())
        target = _target(context, source, dst, is_dir=is_dir)
        with plain_words(target), place_to_fill(target, create_dirs=create_dirs) as new:
            there = new.look()
            if there is not None:
                if is_dir or is_directory(there):
                    raise refuse(target, "already exists; name a path that does not", ErrorCode.CONFLICT)
                require_regular(target, there.st_mode)
            trees.move(old, new, bounds)
    return {"src": str(source), "dst": str(target), "size": size, "is_dir": is_dir}


def _target(context: ActionContext, source: Path, dst: str, *, is_dir: bool) -> Path:
    """Where to; a directory that exists takes a file in under its own name."""
    target = context.paths.writable_path(dst)
    if not is_dir and _is_directory_there(target):
        dst = str(target / source.name)
    target = context.paths.writable_tree(dst)
    if target == source or target.is_relative_to(source):
        raise refuse(target, "is the source itself or lies in it")
    return target


def _is_directory_there(path: Path) -> bool:
    try:
        with plain_words(path), place(path) as there:
            return is_directory(there.look())
    except OpcodeError as error:
        if error.code is ErrorCode.NOT_FOUND:
            return False
        raise


def _require_room(target: Place, size: int) -> None:
    """A file with holes in it is larger than what it takes, and would fill the disk before anybody noticed."""
    disk = os.fstatvfs(target.directory.descriptor)
    if size > disk.f_bavail * disk.f_frsize:
        raise refuse(target.path, f"does not fit: {size:,} bytes are more than the disk has left")


def _bounds(context: ActionContext) -> trees.Bounds:
    may_read = context.paths.now().may_read
    return trees.Bounds(lambda path, found: not may_read(path, found), context.deadline)


def _entry(entry: Found) -> Entry:
    return {
        "name": entry.path.name,
        "path": str(entry.path),
        "size": entry.stat.st_size,
        "modified_at": _time(entry.stat.st_mtime),
        "is_dir": is_directory(entry.stat),
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _mode(mode: int | str) -> int:
    try:
        value = int(mode, 8) if isinstance(mode, str) else mode
    except ValueError:
        value = -1
    if not 0 <= value <= 0o777:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR,
            f"'mode' {mode!r} is not a permission; write it in quotes, as \"0644\"",
        )
    return value


def _bytes(content: str, encoding: str) -> bytes:
    try:
        return content.encode("utf-8") if encoding == "text" else base64.b64decode(content, validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError) as error:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR, f"'content' cannot be written as {encoding}: {error}"
        ) from None
