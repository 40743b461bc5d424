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
        for part in (
            "rows",
            "suite",
            "opening",
            "commits",
            "values",
            "lists",
            "templates",
            "ownership",
            "waking",
            "messages",
            "decisions",
            "snapshots",
            "items",
            "purging",
        )
    )
)

from opcode_testkit.storage.commits import Commits  # noqa: E402
from opcode_testkit.storage.decisions import Decisions  # noqa: E402
from opcode_testkit.storage.items import Items  # noqa: E402
from opcode_testkit.storage.lists import Lists  # noqa: E402
from opcode_testkit.storage.messages import Messages  # noqa: E402
from opcode_testkit.storage.opening import Opening  # noqa: E402
from opcode_testkit.storage.ownership import Ownership  # noqa: E402
from opcode_testkit.storage.purging import Purging  # noqa: E402
from opcode_testkit.storage.snapshots import Snapshots  # noqa: E402
from opcode_testkit.storage.templates import Templates  # noqa: E402
from opcode_testkit.storage.values import Values  # noqa: E402
from opcode_testkit.storage.waking import Waking  # noqa: E402


class StorageConformance(
    Opening,
    Commits,
    Values,
    Lists,
    Templates,
    Ownership,
    Waking,
    Messages,
    Decisions,
    Snapshots,
    Items,
    Purging,
):
    """The whole suite. `persistent = False` for a storage that forgets when it is closed."""
