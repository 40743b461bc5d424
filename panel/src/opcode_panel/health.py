"""What is not well, in sentences for a person."""

from opcode_server import House


def troubles(house: House) -> list[str]:
    """Broken plugins, names that two plugins offer, open breakers, a full pool; empty when all is well."""
    engine = house.engine
    found = [
        f"the plugin {name} does not load: {plugin.error}"
        for name, plugin in engine.plugins.found.items()
        if plugin.state == "broken"
    ]
    found += [str(collision) for collision in engine.registry.collisions]
    found += [
        f"calls of {name} are refused for a while, because the last ones failed"
        for name, breaker in engine.breakers.items()
        if breaker.opened_at is not None
    ]
    if engine.pool.locked():
        found.append("all places for actions are taken; more wait (OPCODE_POOL_SIZE)")
    return found
