"""The examples' files: where they lie, what one holds, a copy to work in."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from opcode_core.cli.problems import Usage
from opcode_core.codec import loads
from opcode_core.suggestions import did_you_mean

PACKAGE = "opcode_examples"
STUB = "stub.py"


@dataclass(frozen=True)
class Example:
    """One folder: workflow.json, input_schema.json, scenarios.json, README.md, and what these need."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's."""
        return self.folder.name

    @cached_property
    def workflow(self) -> dict[str, Any]:
        """The definition."""
        return dict(loads((self.folder / "workflow.json").read_bytes()))

    @cached_property
    def scenarios(self) -> dict[str, Any]:
        """What the built-in service answers, and what is decided, in each scenario."""
        return dict(loads((self.folder / "scenarios.json").read_bytes()))

    def scenario(self, name: str | None) -> tuple[str, dict[str, Any]]:
        """A scenario by its name, or the first.

        Raises:
            Usage: when there is none of that name.
        """
        known = self.scenarios["scenarios"]
        name = name or next(iter(known))
        if name not in known:
            raise Usage(f"{self.name} has no scenario '{name}'; there are {', '.join(known)}")
        return name, known[name]

    @property
    def children(self) -> dict[str, bytes]:
        """The workflows that it calls, by the names of their templates."""
        return {file.stem: file.read_bytes() for file in sorted(self.folder.glob("templates/*.json"))}


def examples_folder() -> Path:
    """Where the examples lie: in the package opcode-examples, or in the repository.

    Raises:
        Usage: when there are none.
    """
    found = importlib.util.find_spec(PACKAGE)
    places = [Path(place) for place in (found.submodule_search_locations or ())] if found else []
    places += [parent / "examples" for parent in Path(__file__).parents[4:5]]
    for place in places:
        if (place / STUB).is_file():
            return place
    raise Usage("the examples are not installed: pip install opcode-examples")


def all_examples() -> list[Example]:
    """By name."""
    return [Example(file.parent) for file in sorted(examples_folder().glob("*/scenarios.json"))]


def example(name: str) -> Example:
    """One by its name.

    Raises:
        Usage: with the nearest name.
    """
    known = all_examples()
    for one in known:
        if one.name == name:
            return one
    hint = did_you_mean(name, [one.name for one in known]) or "`opcode examples list` names them"
    raise Usage(f"there is no example '{name}'; {hint}")


def stub_module() -> Any:
    """The built-in service, which lies beside the examples so that it can be read and run alone."""
    spec = importlib.util.spec_from_file_location(f"{PACKAGE}_stub", examples_folder() / STUB)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def set_up(one: Example) -> None:
    """Do in the working folder what the example needs there, as making a repository.

    Raises:
        Usage: when it cannot be done.
    """
    for command_line in one.scenarios.get("setup", ()):
        try:
            done = subprocess.run(command_line, capture_output=True, text=True, check=False, timeout=60)
        except OSError as error:
            raise Usage(f"{one.name} needs {command_line[0]}: {error.strerror}") from None
        if done.returncode:
            raise Usage(f"{one.name} cannot be set up: {done.stderr.strip()}")


@contextmanager
def working_in(one: Example, folder: str | None) -> Iterator[Path]:
    """A copy of the example's files as the working folder; a temporary one is removed."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix=f"opcode-{one.name}-") as temporary:
        here = Path(temporary, one.name) if folder is None else Path(folder).absolute()
        if here.exists():
            raise Usage(f"{folder} is there already; name another folder")
        copy_files(one.folder, here)
        os.chdir(here)
        try:
            set_up(one)
            yield here
        finally:
            os.chdir(before)


def copy_files(source: Path, target: Path) -> None:
    """Copy an example.

    Raises:
        Usage: when that cannot be done.
    """
    try:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    except OSError as error:
        raise Usage(f"{target} cannot be written: {error.strerror or error}") from None


def made(source: Path, here: Path) -> list[str]:
    """The files that were not there before."""
    found = (file.relative_to(here) for file in sorted(here.rglob("*")) if file.is_file())
    return [str(file) for file in found if not (source / file).exists()]
