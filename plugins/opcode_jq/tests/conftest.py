from collections.abc import Iterator

import pytest

from opcode_jq import JqEngine


@pytest.fixture(scope="module")
def jq() -> Iterator[JqEngine]:
    engine = JqEngine()
    yield engine
    engine.close()
