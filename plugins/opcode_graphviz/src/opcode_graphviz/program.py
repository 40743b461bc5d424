"""Graphviz as a process that has only so much time and memory."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Final

from opcode_core import ErrorCode, OpcodeError

SECONDS: Final = 15.0
MEMORY: Final = 2**30
"""Bytes of address space; a condensed diagram needs a small part of it."""
_PASSED: Final = ("PATH", "HOME", "SYSTEMROOT", "GVBINDIR", "XDG_CACHE_HOME", "FONTCONFIG_FILE")


def installed() -> list[str]:
    """The programs that can draw, best first: the system's `dot`, then the one that comes from PyPI."""
    beside = Path(sysconfig.get_path("scripts"), "graphviz-pure")
    pure = str(beside) if beside.exists() else shutil.which("graphviz-pure")
    return [program for program in (shutil.which("dot"), pure) if program]


def graphviz(text: str, *options: str, seconds: float = SECONDS) -> bytes:
    """What Graphviz makes of DOT.

    Raises:
        OpcodeError: EXECUTION_ERROR when there is no Graphviz or it fails, TIMEOUT_ERROR when it takes too long.
    """
    programs = installed()
    for program in programs:
        try:
            return _run(program, text, options, seconds)
        except OpcodeError as error:  # an incomplete installation, or another program of the name
            if program == programs[-1] or error.code is ErrorCode.TIMEOUT_ERROR:
                raise
    raise OpcodeError(
        ErrorCode.EXECUTION_ERROR,
        "Graphviz, which draws this format, is not on this machine: pip install graphviz-pure,"
        " or install your system's package graphviz",
    )


def _run(program: str, text: str, options: tuple[str, ...], seconds: float) -> bytes:
    known = {name: os.environ[name] for name in _PASSED if name in os.environ}
    pipe = subprocess.PIPE
    try:
        with subprocess.Popen(
            [program, *options], stdin=pipe, stdout=pipe, stderr=pipe, env={**known, "LC_ALL": "C.UTF-8"}
        ) as process:
            _limit(process.pid)
            try:
                drawing, complaint = process.communicate(text.encode("utf-8", "replace"), seconds)
            except BaseException:
                process.kill()
                raise
    except subprocess.TimeoutExpired:
        raise OpcodeError(
            ErrorCode.TIMEOUT_ERROR, f"Graphviz did not finish the drawing within {seconds:g} s"
        ) from None
    except OSError as error:
        raise OpcodeError(
            ErrorCode.EXECUTION_ERROR, f"Graphviz ({program}) cannot be started: {error.strerror}"
        ) from None
    if process.returncode != 0 or not drawing:
        said = " ".join(complaint.decode("utf-8", "replace").split())[:300]
        raise OpcodeError(
            ErrorCode.EXECUTION_ERROR,
            f"Graphviz ({program}) failed with {process.returncode}: {said or 'it said nothing'}",
        )
    return drawing


def _limit(pid: int) -> None:
    """Where the system can."""
    try:
        import resource

        resource.prlimit(pid, resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ImportError, AttributeError, OSError):  # not Linux, or the process has ended already
        return
