"""What the tests of the examples share: one service for all, one set of plugins, a folder of one's own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opcode_core.cli.example_files import stub_module
from opcode_core.plugins.manager import PluginManager


@pytest.fixture(scope="session")
def plugins() -> PluginManager:
    return PluginManager()


@pytest.fixture(scope="session")
def service() -> Iterator[tuple[Any, str]]:
    """The stub and its address; each test plays its own routes."""
    module = stub_module()
    stub = module.Stub()
    with module.serving(stub) as address:
        yield stub, address


def lacks(expected: Any, found: Any, path: str = "") -> list[str]:
    """Where `found` does not have what is expected: of objects the named keys, of lists every item, `{"~": text}` a part."""
    if isinstance(expected, dict) and set(expected) == {"~"}:
        return [] if expected["~"] in str(found) else [f"{path}: {expected['~']!r} is not in {found!r}"]
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            fault
            for name, value in expected.items()
            for fault in (
                lacks(value, found[name], f"{path}.{name}")
                if name in found
                else [f"{path}.{name} is missing"]
            )
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return [
            fault
            for i, (one, other) in enumerate(zip(expected, found, strict=True))
            for fault in lacks(one, other, f"{path}[{i}]")
        ]
    return [] if expected == found else [f"{path}: expected {json.dumps(expected)}, got {json.dumps(found)}"]


def missing_in_file(file: Path, part: str | None) -> list[str]:
    """What is wrong with a file that a run should have written, or with None not have written."""
    if part is None:
        return [f"{file.name} was written"] if file.exists() else []
    if not file.exists():
        return [f"{file.name} was not written"]
    return (
        []
        if part in file.read_text("utf-8")
        else [f"{part!r} is not in {file.name}: {file.read_text('utf-8')}"]
    )
