"""Actions that touch the world, where each call leaves a line in a ledger that outlives the process."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

from kill_fate import Fate

from opcode_core import Action, ActionContext, ErrorCode, OpcodeError, action, hookimpl


class World:
    """A plugin: its actions, and the folder in which they are counted."""

    def __init__(self, folder: Path, fate: Fate) -> None:
        self.folder = folder
        self.fate = fate
        self.ledger = os.open(folder / "ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def begins(self, context: ActionContext, effect: str) -> None:
        self._write(context, effect, "begin")
        self.fate.at("begin:action")

    def ends(self, context: ActionContext, effect: str) -> None:
        self._write(context, effect, "end")
        self.fate.at("end:action")

    def _write(self, context: ActionContext, effect: str, what: str) -> None:
        key, attempt = context.idempotency_key, context.attempt
        line = f"{time.time()!r}\t{os.getpid()}\t{key}\t{attempt}\t{effect}\t{what}\n"
        os.write(self.ledger, line.encode())

    def tries(self, context: ActionContext) -> int:
        """How often a call was tried before, as a remote service would remember it."""
        path = self.folder / "tries" / context.idempotency_key.replace(":", "_")
        path.parent.mkdir(exist_ok=True)
        with path.open("ab") as file:
            before = file.tell()
            os.write(file.fileno(), b".")
        return before

    @hookimpl
    def opcode_actions(self) -> list[Action]:
        return _actions(self)


def _actions(world: World) -> list[Action]:
    @action("kill.external", effect="external")
    async def external(context: ActionContext, value: Any = None, ms: int = 60) -> Any:
        """Change the world."""
        world.begins(context, "external")
        await asyncio.sleep(ms / 1000)
        world.ends(context, "external")
        return value

    @action("kill.idempotent", effect="idempotent")
    async def idempotent(context: ActionContext, value: Any = None, ms: int = 60) -> Any:
        """Change the world in a way that may be repeated."""
        world.begins(context, "idempotent")
        await asyncio.sleep(ms / 1000)
        world.ends(context, "idempotent")
        return value

    @action("kill.pure", effect="pure")
    def pure(context: ActionContext, value: Any = None) -> Any:
        """Give the value back."""
        world.begins(context, "pure")
        world.ends(context, "pure")
        return value

    @action("kill.blocking", effect="external", blocking=True)
    def blocking(context: ActionContext, value: Any = None, ms: int = 60) -> Any:
        """Change the world from a thread."""
        world.begins(context, "external")
        time.sleep(ms / 1000)
        world.ends(context, "external")
        return value

    @action("kill.flaky", effect="external")
    async def flaky(context: ActionContext, times: int, value: Any = None, ms: int = 40) -> Any:
        """Fail the first so many times."""
        world.begins(context, "external")
        await asyncio.sleep(ms / 1000)
        tries = world.tries(context)
        world.ends(context, "external")
        if tries < times:
            raise OpcodeError(ErrorCode.EXECUTION_ERROR, f"this is try {tries + 1}")
        return value

    @action("kill.deadly", effect="external")
    async def deadly(context: ActionContext) -> None:
        """Take the process along."""
        world.begins(context, "external")
        os.kill(os.getpid(), signal.SIGKILL)

    return [external, idempotent, pure, blocking, flaky, deadly]
