"""What a guarded process runs: one function, called again and again, with nothing else in reach.

It is started as a plain file, so that it costs no more than the interpreter and what the function
needs: nothing of the core may be imported here, nor `typing`.
"""

from __future__ import annotations

import json
import math
import os
import resource
import struct
import sys
import time
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, NoReturn

CHANNEL = 0
"""A socket for both directions; descriptors 1 and 2 lead nowhere."""

FAULT, LAST = 1, 2
"""Flags of an answer: it is an error; this process answers nothing more."""

GIVES_WAY = 5
"""How much nicer it is than the program: a runaway must not cost the other runs their pace."""

_LENGTH = struct.Struct("!I")
_HEADER = struct.Struct("!BI")
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_SIGKILL = 9
_LONGEST_MESSAGE = 2000


def main() -> NoReturn:
    """Read the setup, confine this process, then answer until the channel closes."""
    setup = json.loads(_read())
    try:
        _die_with(setup["parent"])
        os.nice(GIVES_WAY)
        evaluate = _load(setup["entry"], setup["path"])
        meter = _Meter()
        _confine(meter.used() + setup["memory"])
    except BaseException as error:  # noqa: BLE001, RUF100
        _write(FAULT | LAST, _fault(error))
        os._exit(1)
    _write(0, b"null")
    _serve(evaluate, setup, meter)


def _serve(evaluate: Callable[[Any], Any], setup: dict[str, Any], meter: _Meter) -> NoReturn:
    calls, most = 0, meter.used() + setup["memory"] // 2
    while True:
        request = _read()
        calls += 1
        _renew_cpu(setup["seconds"])
        flags, answer = _answer(evaluate, request, setup["output"])
        length = len(answer)
        if calls >= setup["calls"] or meter.used() - 2 * length > most:
            flags |= LAST
        _write(flags, answer)
        del request, answer  # so that a waiting process is a small one
        if flags & LAST:
            os._exit(0)


def _answer(evaluate: Callable[[Any], Any], request: bytes, most: int) -> tuple[int, bytes]:
    try:
        answer = json.dumps(evaluate(json.loads(request)), allow_nan=False, separators=(",", ":")).encode()
        if len(answer) <= most:
            return 0, answer
        return FAULT, _fault(ValueError(f"the result has more than {most / 2**20:g} MiB; select less"))
    except MemoryError as error:
        return FAULT | LAST, _fault(error)
    except BaseException as error:  # noqa: BLE001, RUF100
        return FAULT, _fault(error)


def _fault(error: BaseException) -> bytes:
    """An error as the caller is told it; a SyntaxError is the author's, found before evaluation."""
    if isinstance(error, SyntaxError):
        kind, text = "syntax", error.msg
    elif isinstance(error, MemoryError):
        kind, text = "memory", ""
    elif isinstance(error, RecursionError):
        kind, text = "failure", "it is nested too deeply"
    elif type(error) is ValueError and str(error):
        kind, text = "failure", str(error)
    else:
        kind, text = "failure", f"{type(error).__name__}: {error}"
    return json.dumps([kind, text[:_LONGEST_MESSAGE]]).encode()


# Confinement.


def _die_with(parent: int) -> None:
    """Be killed when the parent ends, however it ends, and gain no rights by any program."""
    if sys.platform == "linux":
        import ctypes

        prctl = ctypes.CDLL(None).prctl
        prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before that was said
        os._exit(0)


def _load(entry: str, path: Iterable[str]) -> Callable[[Any], Any]:
    sys.path[:] = path
    module, _, name = entry.partition(":")
    try:
        found = getattr(import_module(module), name)
    except ModuleNotFoundError:
        import site  # for packages that are installed by an import hook

        site.main()
        found = getattr(import_module(module), name)
    function: Callable[[Any], Any] = found
    return function


class _Meter:
    """How much address space this process has; its file is the last one to be opened here."""

    def __init__(self) -> None:
        self._file = os.open("/proc/self/statm", os.O_RDONLY) if sys.platform == "linux" else -1

    def used(self) -> int:
        """Bytes; 0 where that cannot be known."""
        if self._file < 0:
            return 0
        return int(os.pread(self._file, 100, 0).split()[0]) * resource.getpagesize()


def _confine(memory: int) -> None:
    """Give up everything that an evaluation does not need."""
    os.environ.clear()
    for name, most in (
        ("RLIMIT_AS", memory),
        ("RLIMIT_CORE", 0),
        ("RLIMIT_FSIZE", 0),
        ("RLIMIT_NPROC", 0),
        ("RLIMIT_NOFILE", 0),  # what is open stays open, nothing more can be opened
    ):
        which = getattr(resource, name, None)
        if which is not None:
            hard = resource.getrlimit(which)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)  # noqa: PLW2901
            resource.setrlimit(which, (most, most))


def _renew_cpu(seconds: float) -> None:
    """Only for a parent that cannot kill: somewhat more than a call may take."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    most = math.ceil(time.process_time() + seconds) + 2
    resource.setrlimit(
        resource.RLIMIT_CPU, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard)
    )


# Frames.


def _read() -> bytes:
    return _exactly(_LENGTH.unpack(_exactly(_LENGTH.size))[0])


def _exactly(size: int) -> bytes:
    parts = []
    while size:
        part = os.read(CHANNEL, min(size, 2**20))
        if not part:
            os._exit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _write(flags: int, body: bytes) -> None:
    frame = memoryview(_HEADER.pack(flags, len(body)) + body)
    try:
        while frame:
            frame = frame[os.write(CHANNEL, frame) :]
    except OSError:
        os._exit(0)


if __name__ == "__main__":
    main()
