"""The daemon: an engine and its application, from start to a stop in good order."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn
from sse_starlette.sse import AppStatus

from opcode_core import Engine, OpcodeError
from opcode_core.hosting import HOME, PluginManager, Running, Settings, load_settings, runfile, take_variable
from opcode_server.app import application
from opcode_server.house import House
from opcode_server.housekeeping import Housekeeping
from opcode_server.listening import listen, url_of
from opcode_server.wire import Wire

GRACE = 10.0
"""Seconds that steps in flight have to end."""
CLOSING = 2.0
"""Seconds that answers on the way have to get out, after that."""
TOKEN = "OPCODE_TOKEN"  # noqa: S105
"""Not for the actions that run here, nor for the programs that they start."""
PID_FILE = HOME / "opcode.pid"
RELOADED = ("log_level", "panel")

_log = logging.getLogger("opcode.server")


class _Server(uvicorn.Server):
    """Leaves signals to us, for steps in flight come before connections, and says when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Any:
        """None."""
        yield


class Daemon:
    """Serves until it is told to stop.

    Args:
        settings: how.
        plugins: what is installed.
        flags: the settings that were given as flags, which a reload keeps.
    """

    def __init__(self, settings: Settings, plugins: PluginManager, flags: dict[str, Any]) -> None:
        self.settings = settings
        self.plugins = plugins
        self.flags = flags
        self._taken = {TOKEN: take_variable(TOKEN) or ""}
        self._asked = asyncio.Event()
        self._times = 0

    async def serve(self, announce: Callable[[str], None]) -> None:
        """Be ready, say so, and come back when all is closed.

        Raises:
            Usage: for an address that cannot be listened on.
            OpcodeError: when the storage cannot be opened.
        """
        listener = listen(self.settings)
        try:
            await self._serve(listener, announce)
        finally:
            listener.close()

    async def _serve(self, listener: socket.socket, announce: Callable[[str], None]) -> None:
        engine = self._engine(listener.getsockname()[1])
        running = Running(os.getpid(), url_of(listener), runfile.new_key(), self.settings.storage_url)
        house = House(engine, self.settings, key=running.key)
        server = _Server(_config(application(house)))
        self._listen_to_signals(server, house)
        await engine.start_up()
        announcing = asyncio.create_task(engine.isolator.announce())
        housekeeping = asyncio.create_task(Housekeeping(engine, self.settings.retention).serve())
        serving = asyncio.create_task(server.serve([listener]), name="server")
        try:
            if await self._first(serving, server.ready.wait()):
                listener.listen(1024)  # the kernel's queue; how many are taken on in a turn stays as it is
                self._say_that_it_runs(running)
                announce(running.url)
                await self._first(serving, self._asked.wait())
        finally:
            announcing.cancel()
            housekeeping.cancel()
            await self._stop(engine, house, server, serving)
            runfile.remove(running)
            _remove_pid_file()

    async def _first(self, serving: "asyncio.Task[None]", event: Coroutine[Any, Any, Any]) -> bool:
        """Whether the event came before the server ended."""
        waiting = asyncio.create_task(event)
        await asyncio.wait({waiting, serving}, return_when=asyncio.FIRST_COMPLETED)
        return waiting.cancel() is False

    async def _stop(
        self, engine: Engine, house: House, server: uvicorn.Server, serving: "asyncio.Task[None]"
    ) -> None:
        """No new work; then steps in flight; then answers on their way; then the rest."""
        engine.closing = True
        resting = asyncio.create_task(engine.runs.shut_down(GRACE))
        await asyncio.wait({resting}, timeout=GRACE + CLOSING)
        await house.audit.close()
        for close in house.closers:
            await close()
        AppStatus.should_exit = True  # ends the streams of server-sent events
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await serving
        await engine.shut_down(0.0)

    def _engine(self, port: int) -> Engine:
        scheme = self.settings.storage_url.partition(":")[0]
        storage = self.plugins.registry().storages[scheme](self.settings.storage_url)
        network = self.settings.network
        return Engine(
            storage,
            self.plugins,
            pool_size=self.settings.pool_size,
            recovery=self.settings.recovery,
            paths=self.settings.paths,
            network=replace(network, own_ports=network.own_ports | {port}),
            breaker_policies=self.settings.breakers,
        )

    def _listen_to_signals(self, server: uvicorn.Server, house: House) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_soon, server, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload, house)

    def _stop_soon(self, server: uvicorn.Server, number: int) -> None:
        self._times += 1
        if self._times == 1:
            name = signal.Signals(number).name
            _log.info("%s: no new work; steps in flight have %g s to end", name, GRACE)
            self._asked.set()
            return
        _log.warning("stopped at once; what was going on is taken up at the next start")
        server.force_exit = True
        os._exit(1)

    def _reload(self, house: House) -> None:
        """Take on what can be changed while it runs, and name what cannot."""
        try:
            wanted = load_settings(self.flags, {**os.environ, **self._taken})
        except OpcodeError as error:
            _log.error("the settings are kept as they are: %s", error.message)
            return
        changed = [
            name for name in Settings.__slots__ if getattr(wanted, name) != getattr(self.settings, name)
        ]
        now = {name: getattr(wanted, name) for name in RELOADED if name in changed}
        house.settings = self.settings = replace(self.settings, **now)
        logging.getLogger("opcode").setLevel(self.settings.log_level.upper())
        later = [name for name in changed if name not in RELOADED]
        _log.warning(
            "settings reloaded%s%s",
            "".join(f"; {name} is {str(value).lower()}" for name, value in now.items()),
            f"; a restart is needed for {', '.join(later)}" if later else "",
        )

    def _say_that_it_runs(self, running: Running) -> None:
        try:
            runfile.write(running)
            path = PID_FILE.expanduser()
            path.write_text(f"{running.pid}\n")
        except OSError as error:
            _log.warning("commands will not find this server: %s", error)


def _remove_pid_file() -> None:
    path: Path = PID_FILE.expanduser()
    with suppress(OSError, ValueError):
        if int(path.read_text()) == os.getpid():
            path.unlink()


def _config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        ws="none",
        http=Wire,
        backlog=32,  # asyncio takes on so many before it looks at the first
        loop="asyncio",
        timeout_graceful_shutdown=int(CLOSING),
        timeout_keep_alive=75,
    )
