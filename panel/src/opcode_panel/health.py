"""What is well and what is not, in sentences for a person."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from opcode_core import OpcodeError
from opcode_server import House

SLOW = 0.5
"""Seconds after which a database that answers is worth a word."""


@dataclass(frozen=True, slots=True)
class Check:
    """One part of the machine: `said` is how it stands, `troubles` what is wrong with it."""

    name: str
    said: str
    troubles: tuple[str, ...] = ()


async def checks(house: House) -> list[Check]:
    """Plugins, breakers, places for actions, the database, the isolator."""
    isolation, _ = await layers(house)
    return [_plugins(house), _breakers(house), _places(house), await _database(house), isolation]


def troubles(house: House) -> list[str]:
    """What is wrong, without asking the database."""
    return [
        trouble for check in (_plugins(house), _breakers(house), _places(house)) for trouble in check.troubles
    ]


async def layers(house: House) -> tuple[Check, Mapping[str, str]]:
    """How commands are isolated, as a whole and layer by layer; the first one to ask waits for the trial."""
    isolator = house.engine.isolator
    try:
        probe = await asyncio.to_thread(isolator.probe)
    except OpcodeError as error:
        return Check("Isolation", "no command is run", (error.message,)), {}
    said = isolator.name if probe.confines else f"{isolator.name}, which keeps commands from little"
    return Check("Isolation", said), probe.layers


def _plugins(house: House) -> Check:
    engine = house.engine
    found = [
        f"the plugin {name} does not load: {plugin.error}"
        for name, plugin in engine.plugins.found.items()
        if plugin.state == "broken"
    ]
    found += [str(collision) for collision in engine.registry.collisions]
    active = sum(plugin.state == "active" for plugin in engine.plugins.found.values())
    return Check("Plugins", f"{active} at work", tuple(found))


def _breakers(house: House) -> Check:
    found = tuple(
        f"calls of {name} are refused for a while, because the last {breaker.failures} failed"
        for name, breaker in house.engine.breakers.items()
        if breaker.opened_at is not None
    )
    return Check("Breakers", f"{len(found)} open" if found else "all closed", found)


def _places(house: House) -> Check:
    if house.engine.pool.locked():
        return Check("Queue", "full", ("all places for actions are taken; more wait (OPCODE_POOL_SIZE)",))
    return Check("Queue", "has room")


async def _database(house: House) -> Check:
    began = time.monotonic()
    try:
        await house.engine.storage.run("")
    except OpcodeError as error:
        return Check("Database", "does not answer", (error.message,))
    took = time.monotonic() - began
    slow = (f"the database took {took:.1f} s to answer",) if took > SLOW else ()
    return Check("Database", f"answers in {max(round(took * 1000), 1)} ms", slow)
