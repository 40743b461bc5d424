"""A process that fires jobs whose times are every second: `schedule_worker.py DATABASE`. It says `ready`, and is killed."""

import asyncio
import math
import sys
from zoneinfo import ZoneInfo

import opcode_sql.plugin
from opcode_core import Engine, action, hookimpl
from opcode_core.plugins.manager import PluginManager
from opcode_scheduler import firing, job, plugin, service


class EverySecond:
    """As Times, with every second a time."""

    zone = ZoneInfo("UTC")

    def after(self, moment):
        return math.floor(moment) + 1

    def following(self, moment, count):
        return [self.after(moment) + number for number in range(count)]

    def last(self, since, until):
        return math.floor(until) if math.floor(until) >= since else None

    def first_of_newest(self, since, until, most):
        return max(math.ceil(since), math.floor(until) - most + 1) if math.floor(until) >= since else None


@action("worker.quick", effect="pure")
def quick() -> int:
    """Nothing."""
    return 1


@action("worker.slow", effect="idempotent")
async def slow() -> int:
    """A little while."""
    await asyncio.sleep(0.05)
    return 1


class Actions:
    @hookimpl
    def opcode_actions(self):
        return [quick, slow]


def manager():
    found = PluginManager(discover=False)
    for one, name in ((plugin, "scheduler"), (opcode_sql.plugin, "sql"), (Actions(), "worker")):
        found.register(one, name)
    return found


def engine_on(path, **options):
    job.times_of = lambda *_: EverySecond()
    firing.TAKEOVER = service.TAKEOVER = 0.5
    service.LOOK = 1.0
    plugins = manager()
    storage = plugins.registry().storages["sqlite"](f"sqlite:///{path}")
    return Engine(storage, plugins, linger=0.05, **options)


async def main():
    async with engine_on(sys.argv[1]):
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
