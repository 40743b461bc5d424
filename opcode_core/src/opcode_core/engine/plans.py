"""Definitions, compiled: a large one in a thread, so that nobody waits for it."""

import asyncio
from collections.abc import Mapping
from typing import TypeAlias

from opcode_core.codec import dumps
from opcode_core.compiler import Catalogue, make_plan
from opcode_core.engine.remembered import Remembered
from opcode_core.plan import Plan
from opcode_core.plugins.registry import Registry

Definition: TypeAlias = str | bytes | Mapping[str, object]

SMALL = 4 * 1024
"""Bytes of a definition that is compiled on the loop; full of expressions it takes some 50 ms."""
KEPT = 256
"""Plans of stored definitions that are kept."""


class Plans:
    """Those of one engine."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._kept: dict[str, Plan] = {}

    async def of(self, definition: Definition) -> Plan:
        """Check and compile what somebody gives.

        Raises:
            InvalidDefinition: with every issue.
        """
        return await _made(definition, self._registry)

    async def of_stored(self, definition_hash: str, source: bytes) -> Plan:
        """Compile what was stored and was valid then."""
        kept = self._kept
        plan = kept.get(definition_hash)
        if plan is None:
            plan = await _made(source, Remembered(self._registry))
            if len(kept) >= KEPT:
                kept.pop(next(iter(kept)))
            kept[definition_hash] = plan
        return plan

    def forget(self) -> None:
        """Actions came or went; what is being compiled now is not kept either."""
        self._kept = {}


async def _made(definition: Definition, catalogue: Catalogue) -> Plan:
    if _size(definition) <= SMALL:
        return make_plan(definition, catalogue)
    return await asyncio.to_thread(make_plan, definition, catalogue)


def _size(definition: Definition) -> int:
    try:
        return len(definition if isinstance(definition, str | bytes) else dumps(definition))
    except ValueError:  # no JSON: compiling it says so
        return 0
