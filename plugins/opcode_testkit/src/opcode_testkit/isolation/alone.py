"""A program that runs one command and waits: to be killed by an attack."""

import asyncio
import sys
from importlib import import_module
from pathlib import Path

from opcode_core import Command, Isolator, Limits
from opcode_testkit.isolation.arena import PYTHON
from opcode_testkit.isolation.scripts import DAEMON


def isolator_of(entry: str) -> Isolator:
    """The isolator that `package.module:Class` names."""
    module, _, name = entry.partition(":")
    made: Isolator = getattr(import_module(module), name)()
    return made


def main() -> None:
    """Run it."""
    entry, began, folder = sys.argv[1:]
    argv = [PYTHON, "-I", "-S", "-c", DAEMON, began, "300"]
    command = Command(argv=argv, env={}, cwd=Path(folder))
    asyncio.run(isolator_of(entry).run(command, Limits(timeout=300.0)))


if __name__ == "__main__":
    main()
