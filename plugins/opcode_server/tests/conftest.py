"""The helpers of these tests are imported by their own names."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from serving import Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A real server, for the tests of one file."""
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def own_server(tmp_path):
    """A real server for one test alone, which may stop it."""
    with serving(tmp_path) as running:
        yield running


__all__ = ["Server", "own_server", "server"]
