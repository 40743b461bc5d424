"""What the actions give."""

from typing_extensions import TypedDict


class Read(TypedDict):
    """A file's content, as text or in base64; `size` in bytes."""

    path: str
    content: str
    encoding: str
    size: int


class Written(TypedDict):
    """A file and its size in bytes after writing."""

    path: str
    size: int


class Deleted(TypedDict):
    """Whether there was something to delete."""

    path: str
    deleted: bool


class Entry(TypedDict):
    """One thing in a directory; `modified_at` in RFC 3339, UTC."""

    name: str
    path: str
    size: int
    modified_at: str
    is_dir: bool


class Listing(TypedDict):
    """A directory's entries, by path."""

    path: str
    entries: list[Entry]


class Stat(TypedDict):
    """A file or directory; `permissions` in octal."""

    path: str
    size: int
    modified_at: str
    is_dir: bool
    permissions: str


class Transferred(TypedDict):
    """What was copied or moved; `size` is that of all files in it."""

    src: str
    dst: str
    size: int
    is_dir: bool
