"""Which Host and Origin headers are ours, so that no web page of others can speak to this server."""

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


class Hosts:
    """The names of this server.

    A name that resolves to us but is not ours is how a foreign page gets past the browser (DNS rebinding);
    an address cannot be rebound, so addresses pass.
    """

    def __init__(self, listening_on: str, base_url: str = "") -> None:
        base = urlsplit(base_url)
        self._names = {"localhost", listening_on, base.hostname or "localhost"}
        self._base = base

    def fault(self, headers: Mapping[bytes, bytes]) -> tuple[int, str] | None:
        """The status and the reason with which a request is turned away, or None."""
        host = headers.get(b"host", b"").decode("latin-1")
        name, port = _split(host)
        if name not in self._names and not _is_address(name):
            return (
                421,
                f"this server is not {host or 'nameless'}; set base_url to the name that it is reached by",
            )
        origin = headers.get(b"origin")
        if origin is not None and not self._is_ours(origin.decode("latin-1"), name, port):
            return 403, "requests from pages of other origins are refused"
        return None

    def _is_ours(self, origin: str, name: str, port: int | None) -> bool:
        try:
            parts = urlsplit(origin)
            its_port = parts.port
        except ValueError:
            return False
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return False
        default = 443 if parts.scheme == "https" else 80
        its_name, its_port = parts.hostname, its_port or default
        if self._base.hostname == its_name and self._base.scheme == parts.scheme:
            return its_port == (self._base.port or default)
        same_name = its_name == name or (is_loopback(its_name) and is_loopback(name))
        return same_name and its_port == (port or default)


def _split(host: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(f"//{host}")
        name, port = parts.hostname or "", parts.port
    except ValueError:
        return "", None
    return name, port


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
