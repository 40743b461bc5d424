"""Which addresses may be connected to."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address

# The services through which clouds tell a machine its credentials, as far as they do not lie in
# the link-local range: Alibaba, Azure, Oracle; and on IPv6 Amazon, Google.
_METADATA: Final = frozenset(
    map(
        ip_address,
        ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"),
    )
)
_THIS_HOST: Final = ip_network("0.0.0.0/8")
_NAT64: Final = ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What is refused, and why.

    Attributes:
        allow_private: whether loopback and private networks may be reached.
        own_port: the port that this program itself listens on.
    """

    allow_private: bool = True
    own_port: int | None = 4100

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "AddressPolicy":
        """By `OPCODE_HTTP_ALLOW_PRIVATE` and `OPCODE_LISTEN_ADDR`; a word that is not yes means no."""
        allowed = environ.get("OPCODE_HTTP_ALLOW_PRIVATE", "").strip().lower()
        port = environ.get("OPCODE_LISTEN_ADDR", "127.0.0.1:4100").rpartition(":")[2]
        return cls(
            allow_private=allowed in ("", "true", "1", "yes", "on"),
            own_port=int(port) if port.isdecimal() else None,
        )

    def refusal(self, address: str, port: int) -> str | None:
        """Why that address may not be connected to, or None when it may."""
        ip = _embedded(ip_address(address.partition("%")[0]))
        if ip in _METADATA:
            return "a cloud's metadata service"
        if ip.is_link_local:
            return "a link-local address, where clouds keep their metadata service"
        if ip.is_unspecified or (ip.version == 4 and ip in _THIS_HOST):
            return "an unspecified address"
        if ip.is_multicast or (ip.is_reserved and not ip.is_loopback):
            return "a multicast or reserved address"
        if port == self.own_port and _is_this_machine(ip):
            return "this server's own port"
        if not self.allow_private and not ip.is_global:
            return "a loopback or private address, and OPCODE_HTTP_ALLOW_PRIVATE is false"
        return None


def _embedded(ip: Address) -> Address:
    """The IPv4 address that an IPv6 address leads to, where it does."""
    if isinstance(ip, IPv6Address):
        if ip in _NAT64:
            return IPv4Address(int(ip) & 0xFFFFFFFF)
        return ip.ipv4_mapped or ip.sixtofour or ip
    return ip


def _is_this_machine(ip: Address) -> bool:
    if ip.is_loopback:
        return True
    # Only an address of this machine can be bound to.
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(ip), 0))
    except OSError:
        return False
    return True
