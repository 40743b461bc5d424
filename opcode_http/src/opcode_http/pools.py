"""The pooled connections: made at the first call in an event loop, closed by a service."""

import asyncio
import ssl
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING

from opcode_core import NetworkPolicy
from opcode_http.addresses import AddressPolicy

if TYPE_CHECKING:
    import httpcore2

_MAX_CONNECTIONS = 100
_MAX_IDLE = 20
_IDLE_SECONDS = 5.0

# By event loop, because a connection belongs to the loop that it was made in; then by what was allowed
# when it was made, and whether certificates are checked, None for plain HTTP, which need not load any.
_Kind = tuple[NetworkPolicy, bool | None]
_pools: defaultdict[asyncio.AbstractEventLoop, "dict[_Kind, httpcore2.AsyncConnectionPool]"]
_pools = defaultdict(dict)


def pool_for(scheme: str, policy: NetworkPolicy, *, verify: bool) -> "httpcore2.AsyncConnectionPool":
    """The running loop's pool of connections of that kind."""
    kind = policy, verify if scheme == "https" else None
    loop = asyncio.get_running_loop()
    if loop not in _pools:
        for ended in [other for other in _pools if other.is_closed()]:
            del _pools[ended]
    pools = _pools[loop]
    if kind not in pools:
        pools[kind] = _new_pool(*kind)
    return pools[kind]


async def close_pools() -> None:
    """Close every connection of the running loop."""
    for pool in _pools.pop(asyncio.get_running_loop(), {}).values():
        await pool.aclose()


class PoolService:
    """Closes the pools when the engine stops; there is nothing to start before a first request."""

    name = "http"

    async def start(self) -> None:
        """Nothing: pools are made when they are needed."""

    async def stop(self) -> None:
        """Close every pooled connection."""
        await close_pools()


def _new_pool(policy: NetworkPolicy, verify: bool | None) -> "httpcore2.AsyncConnectionPool":
    import httpcore2

    from opcode_http.network import CheckedBackend

    return httpcore2.AsyncConnectionPool(
        ssl_context=None if verify is None else _ssl_context(verify=verify),
        max_connections=_MAX_CONNECTIONS,
        max_keepalive_connections=_MAX_IDLE,
        keepalive_expiry=_IDLE_SECONDS,
        network_backend=CheckedBackend(AddressPolicy(policy)),
    )


@cache
def _ssl_context(*, verify: bool) -> ssl.SSLContext:
    import httpx2

    return httpx2.create_ssl_context(verify=verify)
