"""The helpers of these tests are imported by their own names; the server is that of the server's own tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "opcode_server/tests"))

from serving import serving


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("home"), OPCODE_VAULT_KEY="a passphrase for tests") as running:
        yield running
