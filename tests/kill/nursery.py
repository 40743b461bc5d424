"""Where workers are born: a process that has imported all of it already, and forks one whenever it is asked.

So a restart takes milliseconds, and a worker is killed in its work and not in its imports. Over the
socket whose number is the argument come requests, each with a worker's end of its own socket; back
go `born PID` and, whenever a worker has died, `dead PID STATUS`.
"""

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from kill_fate import Fate
from kill_workflows import ALL, TEMPLATES
from worker import Life, engine_for, live

from opcode_core.plugins.manager import PluginManager


class Nursery:
    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.plugins = PluginManager()

    def serve(self) -> None:
        """Until nobody asks any more."""
        signal.signal(signal.SIGCHLD, lambda *_: self._bury())
        while True:
            request, wires, *_ = socket.recv_fds(self.control, 65536, 1)
            if not request:
                return
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # a worker is born before it dies
            pid = os.fork()
            if pid == 0:
                self._be_a_worker(Life(**json.loads(request)), wires[0])
            os.close(wires[0])
            self.control.send(f"born {pid}".encode())
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})

    def _bury(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.control.send(f"dead {pid} {os.waitstatus_to_exitcode(status)}".encode())

    def _be_a_worker(self, life: Life, wire: int) -> None:
        status = 1
        try:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            self.control.close()
            log = os.open(f"{life.folder}/worker.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.dup2(log, 2)
            asyncio.run(live(life, self.plugins, socket.socket(fileno=wire)))
            status = 0
        except BaseException:
            logging.getLogger("worker").exception("it broke")
        finally:
            os._exit(status)


def warm_up(folder: str) -> None:
    """Let everything be imported that is imported late."""

    async def once() -> None:
        async with engine_for(Life(folder), PluginManager(), Fate("")) as engine:
            for definition in (*TEMPLATES.values(), *(story.definition for story in ALL.values())):
                await engine.plan(definition)

    asyncio.run(once())


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(process)d %(asctime)s %(levelname)s %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warm_up(sys.argv[2])
    Nursery(socket.socket(fileno=int(sys.argv[1]))).serve()
