"""What starts confined commands: a small process without threads and secrets that forks for each of them.

It is started once, as a plain file, and costs a fork for each command from then on, where starting it
anew would cost a whole interpreter. There are three kinds of processes here:

- the launcher: waits for a command, forks a supervisor for it, buries who is left over;
- a supervisor: stays outside of the confinement, sees the command through, and kills all that comes of it
  as soon as the program that asked says so or is gone;
- the command, behind all that the confinement puts around it. Where that is a pid namespace, an init in
  between, for a first process there would not react to signals.

A confinement is a module of a plugin with any of these functions, each given the plugin's own JSON:
`fork(setup)` in the supervisor makes the init and returns as `os.fork` does, `enter(setup)` is called in the
init, `confine(setup)` in the command, last.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, NoReturn

ASKED = 0
"""The socket on which commands arrive, each as a control socket and the command's three files."""

LENGTH = struct.Struct("!I")
_STATUS = struct.Struct("!i")
_EMPTY = _STATUS.pack(2**16)
"""No exit code, but the init's word that nobody else is left."""
_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 24, 36, 38
_KEPT_CAPABILITIES = frozenset({0, 1, 3, 4, 5, 6, 7, 10})
"""What root may still do: chown, dac_override, fowner, fsetid, kill, setgid, setuid, net_bind_service."""

_LAST_CAPABILITY = 63
_ROUNDS = 1000
"""How often a tree that grows while it is killed is looked for again."""


def main() -> NoReturn:
    """Load the confinement, then start a supervisor for each command that arrives."""
    asked = socket.socket(fileno=ASKED)
    setup = json.loads(asked.recv(2**17))
    confinement, fault = _load(setup["entry"], setup["path"])
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGCHLD, _bury)
    gc.disable()
    gc.freeze()  # what is never collected is not copied by a fork
    while True:
        message, files, _, _ = socket.recv_fds(asked, 1, 4)
        if not message:
            os._exit(0)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            asked.close()
            os.open(os.devnull, os.O_RDONLY)  # in its place, so that no pipe gets that number
            _supervise(files, confinement, fault)
        _supervisors.add(pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        for file in files:
            os.close(file)


def _load(entry: str, path: list[str]) -> tuple[ModuleType | None, str]:
    sys.path[:] = path
    try:
        try:
            return import_module(entry), ""
        except ModuleNotFoundError:
            import site  # for packages that are installed by an import hook

            site.main()
            return import_module(entry), ""
    except BaseException as error:  # noqa: BLE001, RUF100
        return None, f"{type(error).__name__}: {error}"


_supervisors: set[int] = set()


def _bury(*_: object) -> None:
    """Supervisors end by themselves; what a killed one leaves behind becomes a child of the launcher."""
    orphans = False
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            break
        orphans = orphans or pid not in _supervisors or os.WIFSIGNALED(status)
        _supervisors.discard(pid)
    if orphans:
        for pid in _children(os.getpid()):
            if pid not in _supervisors:
                _kill(pid)


# A supervisor.


def _supervise(files: list[int], confinement: ModuleType | None, fault: str) -> NoReturn:
    control = socket.socket(fileno=files[0])
    try:
        request = _read(control)
        if confinement is None:
            raise RuntimeError(fault)
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        _Supervisor(control, files[1:], confinement, request).serve()
    except BaseException as error:  # noqa: BLE001, RUF100
        _tell(control, {"fault": f"{type(error).__name__}: {error}"})
        _kill_all()
    os._exit(0)


class _Supervisor:
    """Sees one command through."""

    def __init__(
        self, control: socket.socket, files: list[int], confinement: ModuleType, request: dict[str, Any]
    ) -> None:
        self.control = control
        self.has_init = bool(request["init"])
        self.is_silent = False
        self.faults, faults = os.pipe()
        self.status, status = os.pipe()
        self.alive, alive = os.pipe()
        self.pid = confinement.fork(request["setup"]) if self.has_init else os.fork()
        if self.pid == 0:
            control.close()
            os.close(alive)
            _begin(files, confinement, request, faults, status, self.alive)
        for file in (*files, faults, status, self.alive):
            os.close(file)
        self.alive = alive  # held open: the init sees by it that its supervisor lives

    def serve(self) -> None:
        """Say how the command ended, and go on until its last process has."""
        ended = os.pidfd_open(self.pid)
        on = {
            self.control.fileno(): _stop,
            self.faults: self._failed,
            self.status: self._told,
            ended: self._ended,
        }
        waiting = select.poll()
        for file in on:
            waiting.register(file, select.POLLIN)
        while True:
            ready = {file for file, _ in waiting.poll()}
            # In the order in which they stand there: what is told comes before an end.
            file = next(file for file in on if file in ready)
            if on[file]():
                break
            if file != self.status or self.is_silent:
                waiting.unregister(file)
        _kill_all()

    def _failed(self) -> bool:
        """Why the command did not begin; nothing, when it did."""
        fault = _all_of(self.faults)
        if fault:
            _tell(self.control, json.loads(fault))
        return bool(fault)

    def _told(self) -> bool:
        """The init says how the command ended, then that nobody is left."""
        status = os.read(self.status, _STATUS.size)
        self.is_silent = not status
        if status == _EMPTY:
            self.control.close()  # only the init is left, and the kernel takes its time for its namespaces
        elif status:
            _tell(self.control, {"exit": _STATUS.unpack(status)[0]})
        return status == _EMPTY

    def _ended(self) -> bool:
        """The init or, where there is none, the command."""
        _, status = os.waitpid(self.pid, 0)
        if not self.has_init:
            _tell(self.control, {"exit": os.waitstatus_to_exitcode(status)})
        elif os.WIFSIGNALED(status):
            _tell(self.control, {"exit": -signal.SIGKILL})
        return self.has_init or not _children(os.getpid())


def _stop() -> bool:
    """The program has hung up."""
    return True


def _kill_all() -> None:
    """Kill every descendant: whose parent is gone becomes a child of the supervisor, so none gets away.

    All are stopped first, until no more turn up: who is stopped starts no others.
    """
    stopped: set[int] = set()
    for _ in range(_ROUNDS):
        found = _descendants(os.getpid())
        if found <= stopped:
            break
        for pid in found - stopped:
            _kill(pid, signal.SIGSTOP)
        stopped |= found
        _reap(os.WNOHANG)
    while True:
        for pid in _descendants(os.getpid()):
            _kill(pid)
        if not _reap():
            return


def _reap(options: int = 0) -> bool:
    """Bury all who have died, and wait for one if `options` does not say otherwise; whether any may be left.

    All at once: who starts one process after the other would else leave more dead behind than are buried, and
    each look at those who live would take longer.
    """
    while True:
        try:
            pid, _ = os.waitpid(-1, options)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        options = os.WNOHANG


def _descendants(pid: int) -> set[int]:
    found: set[int] = set()
    unseen = _children(pid)
    while unseen:
        found.update(unseen)
        unseen = [child for parent in unseen for child in _children(parent) if child not in found]
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:  # noqa: PTH123
                found += map(int, file.read().split())
    return found


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


# The command.


def _begin(
    files: list[int], confinement: ModuleType, request: dict[str, Any], faults: int, status: int, alive: int
) -> NoReturn:
    try:
        if request["init"]:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if select.select([alive], [], [], 0)[0]:  # the supervisor ended before that was said
                os._exit(0)
            _call(confinement, "enter", request)
            pid = os.fork()
            if pid:
                for file in (*files, faults, alive):
                    os.close(file)
                _be_init(pid, status)
        faults = _arrange(files, faults)
        _become(confinement, request)
    except BaseException as error:  # noqa: BLE001, RUF100
        os.write(faults, json.dumps(_fault(error)).encode())
    os._exit(127)


def _be_init(command: int, status: int) -> NoReturn:
    """Bury whoever dies in this pid namespace, until nobody is left."""
    while True:
        try:
            pid, how = os.waitpid(-1, 0)
        except ChildProcessError:
            os.write(status, _EMPTY)
            os._exit(0)
        if pid == command:
            os.write(status, _STATUS.pack(os.waitstatus_to_exitcode(how)))


def _arrange(files: list[int], faults: int) -> int:
    """Keep the command's three files, and one more to tell what goes wrong, which no program inherits."""
    for target, file in enumerate(files):
        os.dup2(file, target)
    faults = os.dup2(faults, len(files), inheritable=False)
    os.closerange(faults + 1, 2**16)
    return faults


def _become(confinement: ModuleType, request: dict[str, Any]) -> None:
    os.setsid()
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    _enter_folder(request)
    for which, most in request["rlimits"]:
        _lower(which, most)
    _give_up_rights()
    _call(confinement, "confine", request)
    try:
        os.execvpe(request["argv"][0], request["argv"], request["env"])  # noqa: S606
    except (OSError, ValueError) as error:
        raise _NotStartedError(error) from None


class _NotStartedError(Exception):
    """The command is what cannot be started, not its confinement."""

    def __init__(self, cause: Exception, filename: str | None = None) -> None:
        self.cause = cause
        self.filename = filename


def _fault(error: BaseException) -> dict[str, Any]:
    if not isinstance(error, _NotStartedError):
        return {"fault": f"{type(error).__name__}: {error}"}
    if isinstance(error.cause, OSError):
        return {"errno": error.cause.errno, "filename": error.filename}
    return {"value": str(error.cause)}


def _enter_folder(request: dict[str, Any]) -> None:
    try:
        os.chdir(request["cwd"])
    except OSError as error:
        if request["cwd_named"]:
            raise _NotStartedError(error, request["cwd"]) from None
        os.chdir("/")


def _lower(which: int, value: int) -> None:
    most = resource.getrlimit(which)[1]
    bound = value if most == resource.RLIM_INFINITY else min(value, most)
    resource.setrlimit(which, (bound, bound))


def _give_up_rights() -> None:
    """No program gives new rights, and root keeps only those that work on what it owns."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    for capability in range(_LAST_CAPABILITY + 1):
        if capability in _KEPT_CAPABILITIES:
            continue
        if _LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:  # beyond the last one, or there are none
            break


# Parts.


def _call(confinement: ModuleType, name: str, request: dict[str, Any]) -> None:
    function = getattr(confinement, name, None)
    if function is not None:
        function(request["setup"])


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, value, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def _tell(control: socket.socket, answer: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        control.sendall(json.dumps(answer).encode() + b"\n")


def _read(control: socket.socket) -> dict[str, Any]:
    request: dict[str, Any] = json.loads(_exactly(control, LENGTH.unpack(_exactly(control, LENGTH.size))[0]))
    return request


def _exactly(control: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = control.recv(min(size, 2**20))
        if not part:
            os._exit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _all_of(file: int) -> bytes:
    parts = []
    while part := os.read(file, 65536):
        parts.append(part)
    return b"".join(parts)


if __name__ == "__main__":
    main()
