"""Open directories. What is reached from one by plain names is reached through no link.

The path policy looks at a path, and later the path is used: whoever swaps a directory for a link in
between would lead the use elsewhere. So a path that was found allowed, and is free of links, is walked
from the root name by name, each opened in the one before, never through a link, and all work is done
by the last descriptor. A link that was put there meanwhile is an error, not a way.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

# O_PATH needs no permission to read the directory, as walking through one by its path does not.
_ENTER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
_READ = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Directory:
    """An open directory, closed by `with`. Errors of its methods name the whole path."""

    __slots__ = ("descriptor", "path")

    def __init__(self, descriptor: int, path: Path) -> None:
        self.descriptor = descriptor
        self.path = path

    @classmethod
    def at(cls, path: Path, *, create: bool = False) -> "Directory":
        """The directory at a path that is absolute and free of links; with `create`, what is missing is made."""
        with cls(os.open(path.anchor, _ENTER), Path(path.anchor)) as root:
            return root.enter(*path.parts[1:], create=create)

    def __enter__(self) -> "Directory":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.descriptor)

    def enter(self, *names: str, create: bool = False) -> "Directory":
        """A directory below this one, by the names that lead to it."""
        descriptor, entered = os.dup(self.descriptor), 0
        try:
            for name in names:
                if create:
                    Directory(descriptor, self.path.joinpath(*names[:entered])).make(name)
                below = os.open(name, _ENTER, dir_fd=descriptor)
                os.close(descriptor)
                descriptor, entered = below, entered + 1
        except OSError as error:
            # ENOTDIR is what the kernel says of a link that is not to be followed, too.
            kind = _swapped() if _was_swapped(error, names[entered], descriptor) else error
            kind.filename = str(self.path.joinpath(*names[: entered + 1]))
            os.close(descriptor)
            raise kind from None
        except BaseException:
            os.close(descriptor)
            raise
        return Directory(descriptor, self.path.joinpath(*names))

    def make(self, name: str) -> None:
        """See that there is a directory of that name."""
        with self._named(name):
            try:
                os.mkdir(name, dir_fd=self.descriptor)
            except FileExistsError:
                return

    def look(self, name: str) -> os.stat_result | None:
        """What is there under that name; a link is a link. None for nothing."""
        try:
            return self.stat(name)
        except FileNotFoundError:
            return None

    def stat(self, name: str) -> os.stat_result:
        """As `look`, but nothing is an error."""
        with self._named(name):
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)

    def open(self, name: str, flags: int, mode: int = 0o600) -> int:
        """A descriptor; nothing is waited for, and a link is not opened."""
        with self._named(name):
            extra = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | getattr(os, "O_NOCTTY", 0)
            return os.open(name, flags | extra, mode, dir_fd=self.descriptor)

    def reading(self) -> int:
        """A descriptor of the directory itself, to read what is in it."""
        with self._named("."):
            return os.open(".", _READ, dir_fd=self.descriptor)

    @contextmanager
    def scan(self) -> Iterator[Iterator["os.DirEntry[str]"]]:
        """The entries, as `os.scandir` gives them; they know their names only."""
        descriptor = self.reading()
        try:
            with os.scandir(descriptor) as entries:
                yield entries
        finally:
            os.close(descriptor)

    def names(self) -> list[str]:
        """What is in it."""
        with self.scan() as entries:
            return [entry.name for entry in entries]

    def unlink(self, name: str) -> None:
        """Remove a file or a link."""
        with self._named(name):
            os.unlink(name, dir_fd=self.descriptor)

    def remove_directory(self, name: str) -> None:
        """Remove an empty directory."""
        with self._named(name):
            os.rmdir(name, dir_fd=self.descriptor)

    def read_link(self, name: str) -> str:
        """What a link says."""
        with self._named(name):
            try:
                return os.readlink(name, dir_fd=self.descriptor)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                raise _swapped() from None  # a link no longer

    def link(self, target: str, name: str) -> None:
        """Make a link that says `target`."""
        with self._named(name):
            os.symlink(target, name, dir_fd=self.descriptor)

    def rename(self, name: str, to: "Directory", new: str) -> None:
        """Give it another place; a file that is there is replaced."""
        with self._named(name):
            os.replace(name, new, src_dir_fd=self.descriptor, dst_dir_fd=to.descriptor)

    @contextmanager
    def _named(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            error.filename, error.filename2 = str(self.path / name), None
            raise


class Trail:
    """Goes to directories below one, each from where it was, for the way from the top may be long."""

    def __init__(self, top: Directory) -> None:
        self._top = top
        self._names: tuple[str, ...] = ()
        self._here = top.enter()

    def __enter__(self) -> "Trail":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._here.descriptor)

    def to(self, names: tuple[str, ...]) -> Directory:
        """The directory of these names below the top; open until the next one is asked for."""
        known = len(self._names)
        further = names[:known] == self._names
        there = self._here.enter(*names[known:]) if further else self._top.enter(*names)
        os.close(self._here.descriptor)
        self._names, self._here = names, there
        return there


def _was_swapped(error: OSError, name: str, above: int) -> bool:
    """Whether that was no directory, because it was a link; it may be one again by now."""
    if error.errno != errno.ENOTDIR:
        return False
    try:
        mode = os.stat(name, dir_fd=above, follow_symlinks=False).st_mode
    except OSError:
        return True
    return stat.S_ISLNK(mode) or stat.S_ISDIR(mode)


def _swapped() -> OSError:
    return OSError(errno.ELOOP, os.strerror(errno.ELOOP))
