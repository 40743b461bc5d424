"""Processes with an engine in them: they start, die, stand still, are shut down, and are followed by others."""

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

from sim_clock import ClockAhead
from sim_process import Died, Process
from sim_storage import SLOWEST, FaultyStorage

from opcode_core import Engine, ErrorCode, OpcodeError
from opcode_core.engine.breaker import BreakerPolicy

if TYPE_CHECKING:
    from sim_history import History


class Machine(Process):
    """A process with an engine in it.

    Attributes:
        up: it has started and can be asked.
        ended: done once it is no more.
    """

    def __init__(self, name: str, world: "History") -> None:
        super().__init__(name)
        self.world = world
        self.up = False
        self.ended: asyncio.Future[None] = world.loop.create_future()
        storage = FaultyStorage(world.database, self, world.faults, world.wrote, world.failed)
        second = not name.startswith("A")
        skew = world.settings["skew"] if second else 0.0
        policy = BreakerPolicy(failures=world.settings["breaker"])
        self.engine: Any = self.context.run(
            lambda: Engine(
                storage,
                world.plugins,
                pool_size=world.settings["pool"],
                clock=ClockAhead(world.clock, skew) if skew else world.clock,
                others=not (second and world.settings["loner"]),
                ids=world.ids,
                recovery=world.settings["recovery"],
                linger=world.settings["linger"],
                owner=name,
                breaker_policies={f"sim.{action}": policy for action in ("pure", "work", "touch")},
            )
        )

    def on_death(self) -> None:
        """Whoever waits for its end goes on."""
        if not self.ended.done():
            self.ended.set_result(None)
        self.world.say(self, f"is no more, after {self.steps} steps")


class Machines:
    """All processes that there are and were."""

    def __init__(self, world: "History") -> None:
        self.world = world
        self.loop = world.loop
        self.random = world.chance_of("machines")
        self.all: list[Machine] = []
        self.crashes_left = world.settings["crashes"]

    def living(self) -> list[Machine]:
        return [machine for machine in self.all if machine.alive]

    def is_dead(self, owner: str) -> bool:
        """As the operating system tells, where it does."""
        seen = self.world.settings["dead_seen"]
        return seen and any(machine.name == owner and not machine.alive for machine in self.all)

    async def somebody(self) -> Machine:
        """Any that can be asked."""
        while not (living := [m for m in self.living() if m.up and not m.engine.closing]):
            await asyncio.sleep(0.1)
        return self.random.choice(living)

    async def place(self, name: str) -> None:
        """Where one process lives after the other."""
        world, random, number = self.world, self.world.chance_of(f"place {name}"), 0
        while not world.over:
            number += 1
            machine = self.begin(f"{name}{number}", random)
            if await self.started(machine):
                restart = world.settings["restarts"] and random.random() < 0.5
                life = random.expovariate(0.1) if restart and not world.calm else None
                await asyncio.wait({machine.ended}, timeout=life)
                if not machine.ended.done() and not world.calm:
                    await self.shut_down(machine)
                await machine.ended
            await asyncio.sleep(random.choice(world.settings["down"]) if not world.calm else 0.1)

    def begin(self, name: str, random: Random) -> Machine:
        machine = Machine(name, self.world)
        if self.crashes_left and not self.world.calm:
            self.crashes_left -= 1
            machine.dies_at = int(10 ** (1 + random.random() * 2.8))  # often young, when it recovers
        self.all.append(machine)
        self.world.say(machine, "starts")
        return machine

    async def started(self, machine: Machine) -> bool:
        try:
            await self.loop.call(machine, machine.engine.start_up(), "start_up")
        except Died:
            return False
        except OpcodeError as error:
            self.world.say(machine, f"cannot start: {error}")
            self.loop.kill(machine)
            return False
        machine.up = True
        return True

    async def shut_down(self, machine: Machine) -> None:
        """In good order; nothing of it is left then."""
        if not machine.up:
            self.loop.kill(machine)
            return
        world, grace = self.world, self.random.choice((0.0, 1.0, 10.0))
        world.say(machine, f"shuts down, grace {grace}")
        try:
            await self.loop.call(machine, machine.engine.shut_down(grace), "shut_down")
        except Died:
            return
        except OpcodeError as error:
            if world.is_well() or error.code is not ErrorCode.STORE_ERROR:
                world.violated(f"shut_down of {machine} raises {error}")
        else:
            if machine.name in world.database._owners and not world.faults.made:
                world.violated(f"{machine} was shut down and still counts as living")
        if world.over:
            await asyncio.sleep(SLOWEST * 2)
            self.check_left(machine)
        self.loop.kill(machine)

    def check_left(self, machine: Machine) -> None:
        if left := self.loop.tasks_of(machine):
            self.world.violated(f"{machine} was shut down and still has tasks: {left}")
        if unseen := self.loop.unseen():
            self.world.violated(f"exceptions that nobody looked at: {unseen}")

    async def pauses(self) -> None:
        """Lets processes stand still, as a machine that is suspended does."""
        while not self.world.calm:
            await asyncio.sleep(self.random.expovariate(0.1))
            living = self.living()
            if not living or self.world.calm:
                continue
            machine = self.random.choice(living)
            self.world.say(machine, "stands still")
            self.loop.pause(machine)
            await asyncio.sleep(self.random.choice((0.5, 5.0, 20.0)))
            self.world.say(machine, "goes on")
            self.loop.go_on(machine)

    def spare(self) -> None:
        """From now on all live and go on."""
        self.crashes_left = 0
        for machine in self.living():
            machine.dies_at = None
            self.loop.go_on(machine)
