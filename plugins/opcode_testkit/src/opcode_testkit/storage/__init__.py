"""What every Storage promises, as tests.

A plugin's test is the class with its own `make_storage`:

    class TestMyStorage(StorageConformance):
        @pytest.fixture
        def make_storage(self, tmp_path):
            return lambda: MyStorage(tmp_path / "runs.db")
"""

import pytest

pytest.register_assert_rewrite(
    *(
        f"{__name__}.{part}"
        for part in ("rows", "suite", "opening", "commits", "values", "lists", "templates")
    )
)

from opcode_testkit.storage.commits import Commits  # noqa: E402
from opcode_testkit.storage.lists import Lists  # noqa: E402
from opcode_testkit.storage.opening import Opening  # noqa: E402
from opcode_testkit.storage.templates import Templates  # noqa: E402
from opcode_testkit.storage.values import Values  # noqa: E402


class StorageConformance(Opening, Commits, Values, Lists, Templates):
    """The whole suite. `persistent = False` for a storage that forgets when it is closed."""
