"""What all fronts share: the engine, and what is kept beside its runs."""

import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from opcode_core import Engine
from opcode_core.hosting import Settings
from opcode_server.agents import Agents
from opcode_server.audit import Audit
from opcode_server.inbox import Inbox
from opcode_server.tokens import Token, Tokens

REMEMBERED = 3.0
"""Seconds for which a token that was looked up counts without another look."""
MOST_REMEMBERED = 10_000


@dataclass(slots=True)
class House:
    """One engine and what belongs to it.

    Attributes:
        key: opens every door to the same user of this machine; anew with each start. None without one.
        closers: end what would otherwise go on, as streams, before the server stops.
        login: where people without a token are sent; None when there is no such page.
    """

    engine: Engine
    settings: Settings
    key: str | None = None
    login: str | None = None
    closers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    started_at: float = field(default_factory=time.time)
    agents: Agents = field(init=False)
    tokens: Tokens = field(init=False)
    audit: Audit = field(init=False)
    inbox: Inbox = field(init=False)
    _known: dict[str, tuple[Token | None, float]] = field(default_factory=dict, init=False)
    _locked: tuple[bool, float] = field(default=(False, float("-inf")), init=False)

    def __post_init__(self) -> None:
        storage, clock = self.engine.storage, self.engine.clock
        self.agents = Agents(storage)
        self.tokens = Tokens(storage)
        self.audit = Audit(storage, clock)
        self.inbox = Inbox(storage, clock)
        self.engine.notifier = self.inbox.notify

    async def known_token(self, text: str) -> Token | None:
        """What is known about a token."""
        key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        now = self.engine.clock.monotonic()
        token, until = self._known.get(key, (None, now))
        if until <= now:
            token = await self.tokens.find(text, self.engine.clock.now())
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[key] = (token, now + REMEMBERED)
        return token

    async def is_locked(self) -> bool:
        """Whether callers need a token: once there is one, whoever has none stays outside."""
        if self.settings.token:
            return True
        locked, until = self._locked
        now = self.engine.clock.monotonic()
        if until <= now:
            locked = bool((await self.engine.storage.items("tokens", limit=1)).items)
            self._locked = (locked, now + REMEMBERED)
        return locked
