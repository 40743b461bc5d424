"""The service behind workflow.notify where no server runs: notices are kept until their agent asks."""

from opcode_core import Engine
from opcode_server.inbox import Inbox


class Notices:
    """Gives an engine an inbox, unless it has a server's already."""

    name = "notices"

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def start(self) -> None:
        """From now on nothing that is told gets lost."""
        if self.engine.notifier is None:
            self.engine.notifier = Inbox(self.engine.storage, self.engine.clock).notify

    async def stop(self) -> None:
        """Nothing goes on."""
