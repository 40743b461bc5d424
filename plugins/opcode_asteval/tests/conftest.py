from collections.abc import Iterator

import pytest

from opcode_asteval import PythonEngine


@pytest.fixture(scope="module")
def python() -> Iterator[PythonEngine]:
    engine = PythonEngine()
    yield engine
    engine.close()
