"""Looking up names, in threads of its own."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from opcode_http.errors import failed

_THREADS = 16

look_up = socket.getaddrinfo
"""What is asked for a name's addresses; tests put their own resolver here."""


async def addresses_of(host: str, port: int) -> list[str]:
    """All addresses of a name, from one look-up.

    Raises:
        OpcodeError: EXECUTION_ERROR when it has none.
    """
    # A look-up cannot be given up, and a name's owner can make it last: others must not wait for threads.
    loop = asyncio.get_running_loop()
    try:
        found = await loop.run_in_executor(_threads(), lambda: look_up(host, port, type=socket.SOCK_STREAM))
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else "it is not a host name"
        raise failed(f"cannot find the host {host!r}: {reason}", host=host) from None
    if not found:
        raise failed(f"cannot find the host {host!r}: it has no address", host=host)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, "opcode-names")
