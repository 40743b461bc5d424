"""One server as long as it is wanted: started, looked at, started again when it is lost."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from opcode_core import ErrorCode, OpcodeError
from opcode_core.hosting import redact
from opcode_mcp.book import Book, Pins
from opcode_mcp.config import ToolServer
from opcode_mcp.results import output_of
from opcode_mcp.tools import Tool, read_tools
from opcode_mcp.watch import Watch, shortened

if TYPE_CHECKING:
    from opcode_core import Health
    from opcode_mcp.connection import Connection

FIRST, LONGEST = 1.0, 60.0
"""Seconds before the first new start, and at most; each time twice as many."""
SOUND = 60.0
"""Seconds after which a server counts as sound again."""
LOOKS = 15.0
"""Seconds between two looks at how it is."""
ENDING = 6.0
"""Seconds in which every server lets itself be ended."""
MOST_CALLS = 8
"""Calls at one server at once; more wait."""

Secrets = Callable[[Iterable[str]], Awaitable[dict[str, str]]]
_log = logging.getLogger("opcode.tools")


@dataclass(frozen=True, slots=True)
class Condition:
    """How a server is, why, and since when (seconds since the epoch)."""

    health: "Health" = "inactive"
    detail: str = ""
    since: float | None = None


class Link:
    """Keeps one server running and calls its tools.

    Args:
        server: what to start or reach.
        book: where its tools are pinned.
        secrets: gives the values of secrets, at the moment of a start.
        changed: is called when it is in another condition, or may be called for other tools.
    """

    def __init__(
        self, server: ToolServer, book: Book, secrets: Secrets, changed: Callable[["Link"], None]
    ) -> None:
        self.server = server
        self.pins = Pins()
        self.condition = Condition()
        self.pid: int | None = None
        self._book = book
        self._secrets = secrets
        self._changed = changed
        self._values: frozenset[str] = frozenset()
        self._offered: Mapping[str, Tool] | None = None
        self._connection: Connection | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = False
        self._settled = asyncio.Event()
        self._places = asyncio.Semaphore(MOST_CALLS)
        self._calls = 0

    # ---- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to keep it running. Idempotent."""
        if self._keeper is None or self._keeper.done():
            self._settled.clear()
            self._stopping = False
            self._keeper = asyncio.create_task(self._keep(), name=f"tools {self.server.id}")

    async def stop(self) -> None:
        """End it, and everything that it started."""
        self._stopping = True
        while self._keeper is not None and not self._keeper.done():
            self._keeper.cancel()  # again where it was lost on the way: in the SDK an error may take its place
            await asyncio.wait({self._keeper}, timeout=ENDING)
        self._keeper = None
        self._set("inactive", "")

    async def settled(self, within: float) -> Condition:
        """Its condition once it is active or in error, after so many seconds in any case."""
        try:
            async with asyncio.timeout(within):
                await self._settled.wait()
        except TimeoutError:
            pass
        return self.condition

    async def reload(self) -> None:
        """Read anew which of its tools may be called."""
        self.pins = await self._book.pins(self.server.id)
        if self._offered is not None:
            self.pins = await self._book.listed(self.server.id, self._offered)
        self._changed(self)

    async def _keep(self) -> None:
        """Start it whenever it is lost, each time a little later."""
        pause = FIRST
        while True:
            began = time.monotonic()
            reason = shortened(self._hidden(await self._live()))
            if self._stopping:
                return
            pause = FIRST if time.monotonic() - began > SOUND else pause
            wait = pause * random.uniform(0.5, 1.0)  # noqa: S311 - so that not all come at once
            pause = min(pause * 2, LONGEST)
            _log.warning("%s is down: %s; it is started again in %.1f s", self.server.id, reason, wait)
            self._set("error", reason)
            await asyncio.sleep(wait)
            self._settled.clear()

    async def _live(self) -> str:
        """One life of it, and why that ended."""
        from opcode_mcp.connection import connected, why

        watch = Watch(self.server.id, self._lost)
        try:
            values = await self._secrets(self.server.secrets)
            self._values = watch.secrets = frozenset(values.values())
            async with asyncio.timeout(self.server.startup) as startup:
                async with connected(self.server, values, watch) as connection:
                    await self._look(connection, first=True)
                    startup.reschedule(None)
                    await self._serve(connection, watch)
        except OpcodeError as error:
            return str(error)
        except Exception as error:
            if startup_over(error):
                return watch.fault or f"it did not get ready within {self.server.startup:g} s"
            return watch.fault or why(error)
        finally:
            self._connection = None
            self.pid = None
        return watch.fault or "the connection was lost"

    def _lost(self, reason: str) -> None:
        """Nobody is to call it any more; what is left of it is cleared away after that."""
        if self._connection is not None:
            self._connection = None
            self._set("error", reason)

    async def _serve(self, connection: "Connection", watch: Watch) -> None:
        """Be there for calls until it is lost."""
        self._connection = connection
        self.pid = watch.pid
        _log.info("%s is active with %d tools", self.server.id, len(self.pins.approved))
        self._set("active", "")
        while not (watch.lost.is_set() or self._stopping):
            await _first(watch.lost, watch.look, within=LOOKS)
            watch.look.clear()
            if not watch.lost.is_set():
                await self._still_there(connection, watch)

    async def _still_there(self, connection: "Connection", watch: Watch) -> None:
        """Ask how it is; while calls are under way it may be too busy to say."""
        from opcode_mcp.connection import why

        calls = self._calls
        try:
            await connection.ping()
            await self._look(connection, first=False)
        except OpcodeError as error:
            _log.warning("%s: its tools cannot be noted: %s", self.server.id, error)
        except Exception as error:
            if not calls and not self._calls:
                watch.give_up(f"it does not answer any more: {why(error)}")

    async def _look(self, connection: "Connection", *, first: bool) -> None:
        """What it offers now."""
        known = [*self.pins.approved.values(), *self.pins.waiting.values()]
        offered, faults = await asyncio.to_thread(read_tools, await connection.tools(), known)
        for fault in faults if first else ():
            _log.warning("%s: %s; that is left out", self.server.id, connection.watch.shown(fault))
        before, self._offered = self.pins, offered
        self.pins = await self._book.listed(self.server.id, offered)
        news = sorted(set(self.pins.waiting) - set(before.waiting))
        if news:
            names = ", ".join(news[:10])
            _log.warning("%s: new or changed tools wait for approval: %s", self.server.id, names)
        if before != self.pins:
            self._changed(self)

    # ---- calls --------------------------------------------------------------------------------

    async def call(self, tool: str, params: Mapping[str, Any], key: str) -> Any:
        """Call a tool, and give its answer as an output.

        Raises:
            OpcodeError: ACTION_UNAVAILABLE when it cannot be called now; VALIDATION_ERROR for params that do
                not fit; TIMEOUT_ERROR; EXECUTION_ERROR when it failed.
        """
        from opcode_mcp.connection import why

        action = f"{self.server.id}.{tool}"
        async with self._places:
            connection = await self._ready(action)
            self._allowed(tool, action)
            self._check(tool, params, action)
            self._calls += 1
            try:
                result = await connection.call(tool, params, key, self.server.timeout)
                return redact(output_of(result, action), self._values)
            except OpcodeError as error:
                raise OpcodeError(error.code, self._hidden(error.message), details=error.details) from None
            except asyncio.CancelledError:
                connection.watch.look.set()  # does it hang, or was only this call too long?
                raise
            except Exception as error:
                connection.watch.look.set()
                self._failed(error, why(error), connection.watch, action)
            finally:
                self._calls -= 1

    async def _ready(self, action: str) -> "Connection":
        """The connection; a start that is under way is waited for."""
        if self._connection is None and self.condition.health != "error":
            self.start()
        if self._connection is None and not self._settled.is_set():
            await self.settled(self.server.startup + 1)
        connection = self._connection
        if connection is None or connection.watch.lost.is_set():
            reason = self.condition.detail or "it is being started"
            raise self.unavailable(action, f"the tool server '{self.server.id}' is down: {reason}")
        return connection

    def _allowed(self, tool: str, action: str) -> None:
        if tool in self.pins.waiting:
            raise self.waits(tool)
        if tool not in self.pins.approved or (self._offered is not None and tool not in self._offered):
            raise self.unavailable(action, f"the tool server '{self.server.id}' offers no tool '{tool}' now")

    def _check(self, tool: str, params: Mapping[str, Any], action: str) -> None:
        from opcode_core.hosting import Schema

        issues = Schema(self.pins.approved[tool].params_schema).issues(dict(params), "params")
        if issues:
            more = f", and {len(issues) - 1} more" if len(issues) > 1 else ""
            raise OpcodeError(
                ErrorCode.VALIDATION_ERROR,
                self._hidden(f"action {action}: {issues[0]}{more}"),
                details=redact({"issues": [issue.to_dict() for issue in issues]}, self._values),
            )

    def waits(self, tool: str) -> OpcodeError:
        """Nobody approved the tool as it is now."""
        what = "has changed since it was approved" if tool in self.pins.approved else "is new"
        command = f"opcode tools approve {self.server.id} {tool}"
        return self.unavailable(
            f"{self.server.id}.{tool}",
            f"the tool {what}; look at it with `opcode tools show {self.server.id}`, then: {command}",
        )

    def unavailable(self, action: str, reason: str) -> OpcodeError:
        """It cannot be called now."""
        return OpcodeError(
            ErrorCode.ACTION_UNAVAILABLE,
            self._hidden(f"{action} cannot be called: {reason}"),
            details={"tool_server": self.server.id, "state": self.condition.health},
        )

    def _failed(self, error: Exception, reason: str, watch: Watch, action: str) -> NoReturn:
        """Tell what a call came to that got no answer."""
        import mcp_types as t

        code = getattr(error, "code", None)
        if code == t.REQUEST_TIMEOUT:
            raise OpcodeError(
                ErrorCode.TIMEOUT_ERROR,
                f"{action} took longer than {self.server.timeout:g} s",
                details={"timeout": self.server.timeout},
            ) from None
        if code == t.INVALID_PARAMS:
            raise OpcodeError(
                ErrorCode.VALIDATION_ERROR, shortened(self._hidden(f"{action}: {reason}"))
            ) from None
        if code == t.CONNECTION_CLOSED or watch.lost.is_set():
            reason = f"the tool server was lost during the call: {watch.fault or reason}"
        raise OpcodeError(ErrorCode.EXECUTION_ERROR, shortened(self._hidden(f"{action}: {reason}"))) from None

    def _hidden(self, text: str) -> str:
        return str(redact(text, self._values))

    def _set(self, health: "Health", detail: str) -> None:
        if health != "inactive":
            self._settled.set()
        if (health, detail) != (self.condition.health, self.condition.detail):
            self.condition = Condition(health, detail, time.time())
            self._changed(self)


def startup_over(error: BaseException) -> bool:
    """Whether an error is the end of the time to get ready."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return isinstance(error, TimeoutError)


async def _first(*events: asyncio.Event, within: float) -> None:
    """Until one of them is set, or so many seconds are over."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
