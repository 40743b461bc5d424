"""The address that the server listens on, with errors that say what to do."""

import errno
import socket

from opcode_core.hosting import Settings, Usage
from opcode_server.hosts import is_loopback


def listen(settings: Settings) -> socket.socket:
    """A socket that is bound to the address of the settings.

    Raises:
        Usage: when it cannot be, or when it could be reached from elsewhere and no token is set.
    """
    host, _, port = settings.listen_addr.rpartition(":")
    host = host.strip("[]")
    if not is_loopback(host) and not settings.token:
        raise Usage(
            f"{settings.listen_addr} can be reached from other machines, and there is no OPCODE_TOKEN:"
            " set it to a long random text, or listen on 127.0.0.1"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, so that asyncio sends small answers at once (TCP_NODELAY) instead of 40 ms later.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(port)))
        listener.listen(32)
    except OSError as error:
        listener.close()
        raise Usage(f"cannot listen on {settings.listen_addr}: {_why(error, port)}") from None
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket) -> str:
    """How this machine reaches it."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - that is what was asked for
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _why(error: OSError, port: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} is in use; stop what has it, or choose another with --listen or OPCODE_LISTEN_ADDR"
        )
    if error.errno == errno.EACCES:
        return f"port {port} is reserved; choose one above 1023"
    return error.strerror or str(error)
