"""Where actions may connect to: the plain facts, which the packages that connect act upon."""

from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT_PORT = 4100


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """Bounds on connections that workflows ask for.

    Attributes:
        allow_private: whether loopback and private networks may be reached.
        own_ports: the ports that this program's server listens on, or would.
    """

    allow_private: bool = True
    own_ports: frozenset[int] = frozenset({DEFAULT_PORT})

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "NetworkPolicy":
        """By `OPCODE_HTTP_ALLOW_PRIVATE` and `OPCODE_LISTEN_ADDR`, where nobody has read the settings.

        A word that is not yes means no.
        """
        allowed = environment.get("OPCODE_HTTP_ALLOW_PRIVATE", "").strip().lower()
        address = environment.get("OPCODE_LISTEN_ADDR", "")
        return cls(allowed in ("", "true", "1", "yes", "on"), ports_of(address) or frozenset({DEFAULT_PORT}))

    def is_own_port(self, port: int) -> bool:
        """Whether an OPCODE server of this user listens there, this process's or another's."""
        from opcode_core import runfile  # asked for rarely, and it needs the settings, which need this

        return port in self.own_ports or port in runfile.ports()


def ports_of(address: str) -> frozenset[int]:
    """The port in `host:port`; none where there is none, or 0, which means any that is free."""
    port = address.rpartition(":")[2]
    return frozenset({int(port)} if port.isdecimal() and int(port) else ())
